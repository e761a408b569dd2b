"""The steady clock continues within each boot, and across a reboot by the clocks that can be trusted."""

from __future__ import annotations

import pytest

from engine.clocks import DAY, TODAY, YEAR, Clocks
from lpad.engine.change.steady_clock import EARLIEST, LONGEST_GAP, Moment, SteadyClock
from lpad.remote.trust.tls_failure import CLOCK_UNSET_BEFORE


def after(last: Moment, clocks: Clocks) -> float:
    """Return the age of a moment from an earlier run of lpad, as an lpad that starts now sees it."""
    clock = clocks.clock()
    clock.go_on(last)
    return clock.now().since(last.steady)


def test_the_steady_clock_begins_with_a_set_wall_clock() -> None:
    """The steady clock begins with the wall clock if that is set; otherwise with the first possible day."""
    assert Clocks().clock().now().steady == TODAY
    assert Clocks(wall=100.0).clock().now().steady == CLOCK_UNSET_BEFORE


@pytest.mark.parametrize("jump", [2 * YEAR, -2 * YEAR, -TODAY])
def test_a_wall_clock_that_jumps_moves_nothing(jump: float) -> None:
    """Within a boot, a jump of the wall clock does not change the steady clock."""
    clocks = Clocks()
    clock = clocks.clock()
    before = clock.now()
    clocks.wall += jump
    clocks.pass_by(60)
    assert clock.now().since(before.steady) == pytest.approx(60)


def test_a_restart_within_the_boot() -> None:
    """The clock that counts from boot shows how long lpad was away, whatever the wall clock shows."""
    clocks = Clocks()
    last = clocks.clock().now()
    clocks.pass_by(3600)
    clocks.wall = 100.0
    assert after(last, clocks) == pytest.approx(3600)


@pytest.mark.parametrize(
    ("before", "off", "now", "aged"),
    [
        (TODAY, 3600, None, 3620),
        (TODAY, 400 * DAY, None, LONGEST_GAP),
        (TODAY, 0, TODAY + 2 * YEAR, LONGEST_GAP),
        (TODAY, 0, TODAY - YEAR, 20),
        (TODAY, 0, 100.0, 20),
        (100.0, 0, TODAY, 20),
        (100.0, 0, 50.0, 20),
    ],
    ids=[
        "an hour",
        "a year in a drawer",
        "years ahead",
        "a year back",
        "unset",
        "set meanwhile",
        "never set",
    ],
)
def test_a_power_off_counts_for_a_day_at_most(
    before: float, off: float, now: float | None, aged: float
) -> None:
    """Time without power counts if the wall clock is set, up to a day; time since boot always counts."""
    clocks = Clocks(wall=before)
    last = clocks.clock().now()
    clocks.reboot(off=off, wall=now)
    assert after(last, clocks) == pytest.approx(aged)


def test_time_adds_up_over_boots_that_all_begin_in_1970() -> None:
    """A board that never knows the time still states how long it has run."""
    clocks = Clocks(wall=10.0)
    first = last = clocks.clock().now()
    for _ in range(3):
        clocks.reboot(wall=10.0)
        clock = clocks.clock()
        clock.go_on(last)
        clocks.pass_by(600)
        last = clock.now()
    assert last.since(first.steady) == pytest.approx(3 * 620)
    assert last.ran == pytest.approx(3 * 600)


def test_how_long_lpad_ran_does_not_count_what_it_was_away() -> None:
    """Neither a night without lpad nor a jump of the wall clock counts as running time."""
    clocks = Clocks()
    clock = clocks.clock()
    clocks.pass_by(60)
    clocks.wall += YEAR
    last = clock.now()
    clocks.pass_by(8 * 3600)
    clock = clocks.clock()
    clock.go_on(last)
    clocks.pass_by(5)
    assert clock.now().ran == pytest.approx(65)


@pytest.mark.parametrize(
    ("latest", "expected"),
    [
        (TODAY - 60, TODAY),
        (TODAY - 2 * YEAR, max(TODAY - 2 * YEAR, EARLIEST) + LONGEST_GAP),
        (TODAY + YEAR, TODAY),
        (100.0, EARLIEST + LONGEST_GAP),
    ],
)
def test_the_journal_of_an_lpad_without_such_a_clock(latest: float, expected: float) -> None:
    """An update under a wrong clock makes no entry of an earlier lpad's journal more than a day older."""
    clock = Clocks().clock()
    clock.begin_after(latest)
    assert clock.now().steady == pytest.approx(expected)


def test_a_moment_without_a_valid_clock_is_not_old() -> None:
    """A moment noted by an earlier lpad under an unset clock, or in the future, is not old."""
    present = Moment(wall=TODAY, boot=5.0, boot_id="b", steady=TODAY)
    assert present.since(100.0) == 0
    assert present.since(TODAY + 50) == 0
    assert present.until(TODAY + YEAR, longest=DAY) == DAY
    assert present.until(TODAY - YEAR, longest=DAY) == 0


def test_dates_for_people_follow_the_wall_clock() -> None:
    """A moment an hour ahead is shown an hour after the present wall clock."""
    clocks = Clocks(wall=100.0)
    clock = clocks.clock()
    due = clock.now().steady + 3600
    assert clock.now().date_of(due).year == 1970
    clocks.wall = TODAY
    assert clock.now().date_of(due).timestamp() == pytest.approx(TODAY + 3600)
    assert clock.now().date_of(1e300) == clock.now().date_of(clock.now().steady)


def test_the_devices_own_clocks() -> None:
    """The device's clocks are in the same boot, and continue between two readings."""
    clock = SteadyClock()
    first, second = clock.now(), clock.now()
    assert first.steady <= second.steady
    assert first.ran <= second.ran
    assert first.is_same_boot(second)
