"""A disk that is really full: the end of a change is written nevertheless, in reserved space."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lpad.engine.change.change import State
from lpad.engine.change.params import RefreshParams
from lpad.engine.change.results import RefreshResult
from lpad.engine.journal import Journal
from lpad.engine.journal.file.disk_reserve import SIZE

SCRIPT = Path(__file__).with_name("small_disk.py")


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """Run the script with a journal on a small disk, and return its report."""
    folder = tmp_path_factory.mktemp("small") / "disk"
    folder.mkdir()
    user = [] if os.geteuid() == 0 else ["--map-root-user"]
    command = ["unshare", "--mount", *user, sys.executable, str(SCRIPT), str(folder)]
    run = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    found: dict[str, object] = json.loads(run.stdout)
    return found


def test_an_ended_switch_is_on_the_disk(seen: dict[str, object]) -> None:
    """After a power cut before there is space again, a kept switch counts as kept."""
    assert seen["full"] == "journal-full"
    assert seen["states"] == [State.DONE, State.FAILED]


def test_the_space_for_last_words_is_for_nothing_else(seen: dict[str, object]) -> None:
    """No new change is accepted until the disk has room, and the reserve exists again."""
    assert seen["after last words"] == seen["still"] == "journal-full"
    assert seen["tried again"] is False
    assert seen["space again"] is True
    assert seen["taken on"] is None
    assert seen["reserve"] == SIZE


def test_a_channel_that_is_open_is_noted(seen: dict[str, object]) -> None:
    """Space for the note of an open channel is reserved, so that a killed lpad leaves no channel open."""
    assert seen["channel"] == "12"


def test_a_disk_without_room_for_a_reserve(tmp_path: Path) -> None:
    """If the reserve cannot be created, the journal works without it."""
    (tmp_path / "journal.reserve").mkdir()
    journal = Journal(tmp_path / "journal.db")
    assert journal.health.ok
    change = journal.changes.add("modem", RefreshParams(), secrets={}).run()
    journal.changes.save(change)
    journal.changes.save(change.done(RefreshResult()))
    assert journal.changes.get(change.id).state is State.DONE
    journal.close()
