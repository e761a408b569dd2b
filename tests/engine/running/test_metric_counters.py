"""The counters and durations of the metrics."""

from __future__ import annotations

import pytest

from lpad.engine.running.metric_counters import SERVER_BOUNDS, Counters


def test_durations_are_sorted_into_classes() -> None:
    """A duration belongs to the first class whose end it does not exceed; the last class has no end."""
    counters = Counters()
    for seconds in (0.01, SERVER_BOUNDS[0], SERVER_BOUNDS[0] + 0.001, 1000.0):
        counters.server("CancelSession", seconds)
    durations = counters.servers()["CancelSession"]
    assert durations.cumulative[0] == (SERVER_BOUNDS[0], 2)
    assert durations.cumulative[1] == (SERVER_BOUNDS[1], 3)
    assert durations.cumulative[-2:] == [(SERVER_BOUNDS[-1], 3), (float("inf"), 4)]
    assert durations.total == pytest.approx(0.01 + 2 * SERVER_BOUNDS[0] + 0.001 + 1000)


def test_changes_are_counted_by_kind_and_outcome() -> None:
    """Each pair of kind and outcome is counted separately."""
    counters = Counters()
    counters.change_ended("enable", "done")
    counters.change_ended("enable", "done")
    counters.change_ended("enable", "failed")
    assert counters.changes() == {("enable", "done"): 2, ("enable", "failed"): 1}
