"""A time limit across restarts and on boards whose clock is wrong."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from lpad.engine.change.steady_clock import Moment
from lpad.engine.change.time_limit import TimeLimit

BEGAN = Moment(wall=1_800_000_000.0, boot=500.0, boot_id="first")
LIMIT = TimeLimit.starting(180, at=BEGAN)


def later(seconds: float, *, wall: float | None = None) -> Moment:
    """Return the moment `seconds` after BEGAN in the same boot; `wall`: the seconds on the wall clock."""
    return replace(BEGAN, boot=BEGAN.boot + seconds, wall=BEGAN.wall + (seconds if wall is None else wall))


def rebooted(wall: float, boot_id: str = "second") -> Moment:
    """Return the present time after a reboot; the wall clock shows the given time since the beginning."""
    return Moment(wall=BEGAN.wall + wall, boot=12.0, boot_id=boot_id)


@pytest.mark.parametrize(("seconds", "left"), [(0, 180), (60, 120), (179.5, 0.5), (180, 0), (5000, 0)])
def test_the_limit_runs_while_lpad_is_down(seconds: float, left: float) -> None:
    """The time limit continues while lpad does not run."""
    assert LIMIT.left(later(seconds)) == pytest.approx(left)


@pytest.mark.parametrize("wall", [-1e9, -200, 0, 1e9])
def test_within_one_boot_the_wall_clock_does_not_count(wall: float) -> None:
    """Within one boot, setting the wall clock back or forward does not change the limit."""
    assert LIMIT.left(later(60, wall=wall)) == pytest.approx(120)


@pytest.mark.parametrize(("wall", "left"), [(0, 180), (100, 80), (180, 0), (1e9, 0)])
def test_after_a_reboot_the_wall_clock_decides(wall: float, left: float) -> None:
    """After a reboot the remaining time is computed from the wall clock, even if that was only just set."""
    # If the clock was set wrongly, at worst lpad rolls back a good profile.
    assert LIMIT.left(rebooted(wall)) == pytest.approx(left)
    assert LIMIT.carried_on(rebooted(wall)).left(rebooted(wall)) == pytest.approx(left)


def test_a_clock_that_was_set_back_grants_the_limit_once_more() -> None:
    """If the clock was set back, the limit is granted once more, because the time off is unknown."""
    again = LIMIT.carried_on(rebooted(-3600))
    assert again.renewed
    assert again.left(rebooted(-3600)) == 180
    assert again.left(replace(rebooted(-3600), boot=72.0)) == pytest.approx(120)


def test_the_limit_is_granted_again_only_once() -> None:
    """The limit is renewed only once, so a device that restarts repeatedly returns to the old profile."""
    again = LIMIT.carried_on(rebooted(-3600))
    assert again.left(rebooted(-7200, "third")) == 0
    # The wall clock has moved forward since the last boot, so the elapsed time counts.
    assert again.left(rebooted(-3590, "third")) == pytest.approx(170)


def test_a_reboot_does_not_prolong_the_limit() -> None:
    """After a reboot within the limit only the limit's remaining time is left, even after several reboots."""
    second = LIMIT.carried_on(rebooted(100))
    assert second.seconds == pytest.approx(80)
    third = second.carried_on(rebooted(150, "third"))
    assert third.left(rebooted(150, "third")) == pytest.approx(30)


def test_in_the_same_boot_nothing_is_renewed() -> None:
    """The limit is not renewed in the same boot, however often lpad is killed."""
    assert LIMIT.carried_on(later(60, wall=-1e6)) == LIMIT


def test_a_kernel_without_boot_id_leaves_the_wall_clock() -> None:
    """If the kernel has no boot ID, two readings do not count as the same boot, and the wall clock counts."""
    nameless = TimeLimit.starting(180, at=replace(BEGAN, boot_id=""))
    assert nameless.left(replace(later(60), boot_id="")) == pytest.approx(120)
    assert nameless.left(Moment(wall=BEGAN.wall + 170, boot=1.0, boot_id="")) == pytest.approx(10)


def test_survives_the_journal() -> None:
    """A limit that the journal has stored is read unchanged."""
    limit = LIMIT.carried_on(rebooted(-3600))
    assert TimeLimit.read(limit.noted()) == limit


def test_the_clocks_are_read() -> None:
    """On this machine, the clocks continue between two readings, and the boot has an ID."""
    first, second = Moment.now(), Moment.now()
    assert second.boot >= first.boot
    assert first.boot_id == second.boot_id != ""
