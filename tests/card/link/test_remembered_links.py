"""The memory of modems stays small, whatever a modem reports as its identity."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from lpad.card.link.remembered_links import MOST, LinkMemory, Remembered
from lpad.card.quirks.quirks import LinkKind

if TYPE_CHECKING:
    from pathlib import Path


def test_a_modem_that_is_another_each_time(tmp_path: Path) -> None:
    """Only the files of the latest modems are kept, and nothing is left of a forgotten modem."""
    memory = LinkMemory(tmp_path)
    known = Remembered(link=LinkKind.CSIM)
    for number in range(MOST + 5):
        memory.put(f"modem-{number}", known)
        later_files_look_older = MOST + 5 - number
        os.utime(tmp_path / f"modem-{number}.json", ns=(later_files_look_older, later_files_look_older))
        memory.open_channel(f"modem-{number}").note(LinkKind.CSIM, "1")
    memory = LinkMemory(tmp_path)
    memory.put("modem-last", known)
    kept = {path.stem for path in tmp_path.iterdir()}
    assert kept == {f"modem-{number}" for number in range(6, MOST + 5)} | {"modem-last"}
    again = LinkMemory(tmp_path)
    assert again.get("modem-last") == known
    assert memory.get("modem-0") is again.get("modem-0") is None


@pytest.mark.parametrize(
    "old", [b"{}", b'{"link": "csim"}', b'{"written": 1e99}', b'{"written": -1}', b"\xff"]
)
def test_a_file_without_a_place_in_the_order_goes_first(tmp_path: Path, old: bytes) -> None:
    """A file from an earlier version, or a damaged one, is forgotten before the others."""
    memory = LinkMemory(tmp_path)
    (tmp_path / "old.json").write_bytes(old)
    for number in range(MOST):
        memory.put(f"modem-{number}", Remembered(link=LinkKind.CSIM))
    assert {path.stem for path in tmp_path.iterdir()} == {f"modem-{number}" for number in range(MOST)}


def test_the_last_number_there_is_forgets_nothing_that_was_just_written(tmp_path: Path) -> None:
    """If a worn disk has turned a file's number into the largest one, other modems are still remembered."""
    memory = LinkMemory(tmp_path)
    (tmp_path / "worn.json").write_text(json.dumps({"written": 1 << 53}), encoding="ascii")
    for number in range(MOST + 5):
        memory.put(f"modem-{number}", Remembered(link=LinkKind.CSIM))
        assert LinkMemory(tmp_path).get(f"modem-{number}") == Remembered(link=LinkKind.CSIM)
