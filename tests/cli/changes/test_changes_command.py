"""lpactl changes: the history in pages, its filters, and the user who requested each change."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from engine.lab import CARD
from lpad.cli.changes import changes_command
from lpad.engine.change.change import State
from lpad.engine.change.params import RefreshParams

if TYPE_CHECKING:
    from cli.conftest import Terminal


def test_a_list_names_profile_state_and_requester(terminal: Terminal) -> None:
    """`lpactl changes` lists the newest change first, each with its profile, state and requester."""
    code = terminal.lab.code(terminal.lab.order())
    terminal.lpactl("download", code).ok()
    (profile,) = terminal.lpactl("profiles", "--json").ok().json["profiles"]
    terminal.lpactl("enable", profile["iccid"]).ok()
    heading, newest, oldest = terminal.lpactl("changes").ok().out.splitlines()
    assert heading.split() == ["ID", "CARD", "WHAT", "PROFILE", "STATE", "AT", "BY", "ERROR"]
    assert newest.split()[:5] == ["2", CARD, "enable", profile["iccid"], "done"]
    assert oldest.split()[:5] == ["1", CARD, "download", profile["iccid"], "done"]
    assert f"user {os.getuid()}" in newest
    assert re.search(rf"requested by +user {os.getuid()}", terminal.lpactl("changes", "2").ok().out)


def test_a_list_is_narrowed_down(terminal: Terminal) -> None:
    """The list is filtered by state and time, and --limit limits its length; the options can be combined."""
    for _ in range(3):
        terminal.lpactl("info", "--refresh").ok()
    assert terminal.lpactl("enable", "8900101000000000999").code != 0

    def ids(*options: str) -> list[int]:
        return [each["id"] for each in terminal.lpactl("changes", "--json", *options).ok().json["changes"]]

    assert ids() == [4, 3, 2, 1]
    assert ids("--limit", "2") == [4, 3]
    assert ids("--state", "done") == [3, 2, 1]
    assert ids("--state", "done", "--limit", "1") == [3]
    assert ids("--state", "failed", "--state", "queued") == [4]
    assert ids("--since", "2020-01-01") == [4, 3, 2, 1]
    assert ids("--since", "2999-01-01") == []
    assert "no such changes" in terminal.lpactl("changes", "--since", "2999-01-01").ok().err
    assert terminal.lpactl("changes", "--state", "lost").code == 2
    assert terminal.lpactl("changes", "--limit", "0").code == 2


def test_a_history_of_several_pages(terminal: Terminal) -> None:
    """A long history is read page by page, and each change appears once."""
    for _ in range(changes_command.PAGE + 5):
        terminal.lab.engine._journal.changes.add(CARD, RefreshParams(), secrets={})
    found = [each["id"] for each in terminal.lpactl("changes", "--json").ok().json["changes"]]
    assert found == list(range(changes_command.PAGE + 5, 0, -1))


def test_every_state_can_be_asked_for() -> None:
    """The option --state accepts each of the engine's states."""
    assert set(changes_command.STATES) == {each.value for each in State}
