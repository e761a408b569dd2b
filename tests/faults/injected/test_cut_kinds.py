"""Cuts: their form as text, and the list of all cuts."""

from __future__ import annotations

import pytest

from faults.device.watched_disk import torn
from faults.injected.cut_kinds import Counted, Cut, Kind, Outage, every_cut

COUNTS = {
    Counted.WRITES: 2,
    Counted.COMMITS: 1,
    Counted.APDUS: 3,
    Counted.LINES: 5,
    Counted.MESSAGES: 7,
    Counted.CALLS: 4,
    Counted.RUNS: 3,
}


def test_a_cut_is_read_as_it_is_printed() -> None:
    """A cut's text form, as in a report, is parsed to the same cut."""
    for cut in every_cut(COUNTS):
        assert Cut.parse(str(cut)) == cut


def test_every_step_is_cut_at() -> None:
    """The list of cuts has no duplicates and has each kind of cut, such as each outage after each message."""
    cuts = every_cut(COUNTS)
    assert len(set(cuts)) == len(cuts)
    assert [cut.place for cut in cuts if cut.kind is Kind.KILL_APDU] == [1, 2, 3]
    assert [cut.place for cut in cuts if cut.kind is Kind.DISK] == [1, 2]
    assert len([cut for cut in cuts if cut.kind is Kind.SERVER_AFTER]) == 7 * len(Outage)
    assert {cut.kind for cut in cuts} == set(Kind)


def test_half_of_a_write_reaches_the_disk() -> None:
    """Of a write that is cut, only the first half of the changed sectors reaches the disk."""
    before = bytes(4096)
    after = bytes(1024) + bytes([1]) * 2048 + bytes(1024)
    assert torn(before, after) == bytes(1024) + bytes([1]) * 1024 + bytes(2048)
    assert torn(before, before + bytes([1]) * 2048) == before + bytes([1]) * 1024
    assert torn(before, before) == before


@pytest.mark.parametrize("text", ["kill-apdu", "kill-apdu:x", "nothing:1", "server-after:1:nothing"])
def test_an_invalid_cut_is_refused(text: str) -> None:
    """The text of an invalid cut raises ValueError."""
    with pytest.raises(ValueError):  # noqa: PT011 - Python's own message
        Cut.parse(text)
