"""The record of a simulated modem, which a test can read while the modem adds entries."""

from __future__ import annotations

from lpad.simulator.modem.recent_traffic_record import Transcript


def test_an_iteration_sees_the_entries_that_exist_when_it_begins() -> None:
    """An iteration returns the entries from its beginning, even if others are added during it."""
    record: Transcript[int] = Transcript([1, 2], maxlen=3)
    seen = []
    for each in record:
        seen.append(each)
        record.append(each + 10)
    assert (seen, list(record)) == ([1, 2], [2, 11, 12])
