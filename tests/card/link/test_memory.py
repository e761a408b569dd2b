"""What is remembered of modems stays small, whatever a modem says that it is."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from lpad.card.link.memory import MOST, LinkMemory, Remembered
from lpad.card.quirks.quirks import LinkKind

if TYPE_CHECKING:
    from pathlib import Path


def test_a_modem_that_is_another_each_time(tmp_path: Path) -> None:
    """Only so many files are kept, the latest ones, and of a forgotten modem nothing is left."""
    memory = LinkMemory(tmp_path)
    known = Remembered(link=LinkKind.CSIM)
    for number in range(MOST + 5):
        memory.put(f"modem-{number}", known)
        os.utime(tmp_path / f"modem-{number}.json", ns=(number, number))
        memory.open_channel(f"modem-{number}").note(LinkKind.CSIM, "1")
    memory.put("modem-last", known)
    kept = {path.stem for path in tmp_path.iterdir()}
    assert kept == {f"modem-{number}" for number in range(6, MOST + 5)} | {"modem-last"}
    again = LinkMemory(tmp_path)
    assert again.get("modem-last") == known
    assert memory.get("modem-0") is again.get("modem-0") is None
