"""A moment on all clocks, and lpad's own steady clock, by which it measures age.

The wall clock is for people. On boards without a battery the wall clock starts at 1970, and time servers set
it, sometimes wrongly and later correctly. The clock that counts from boot has none of these faults, but does
not continue after a reboot. The steady clock advances with the clock that counts from boot, and adds a
plausible time for each reboot.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Self

from lpad.base.frozen import Frozen
from lpad.remote.trust.tls_failure import CLOCK_UNSET_BEFORE

if TYPE_CHECKING:
    from collections.abc import Callable

EARLIEST = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
"""The minimum value of a steady clock; a smaller number comes from an older version of lpad, on a board
whose clock was not set."""
LATEST = datetime(9999, 12, 31, tzinfo=UTC).timestamp()
LONGEST_GAP = 24 * 3600.0
"""The maximum number of seconds that count for a time without power, even if the clock seems to be set before
and after: one of the readings may be years ahead, and nothing must age by years because of that."""

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Moment(Frozen, kw_only=True):
    """The readings of all clocks.

    `wall` is seconds since 1970, `boot` seconds since boot, and `boot_id` identifies the boot. `steady` is
    the steady clock: close to seconds since 1970, but only its differences are meaningful. `ran` is the
    number of seconds that lpad has run since its journal was created.
    """

    wall: float
    boot: float
    boot_id: str
    steady: float = 0.0
    ran: float = 0.0

    @classmethod
    def now(cls) -> Self:
        """Read the device's clocks; `SteadyClock.now` also includes lpad's own."""
        try:
            boot_id = _BOOT_ID.read_text(encoding="ascii").strip()
        except OSError:
            boot_id = ""  # every reading then counts as one of a new boot, and the wall clock decides
        return cls(wall=time.time(), boot=time.clock_gettime(time.CLOCK_BOOTTIME), boot_id=boot_id)

    def since(self, steady: float) -> float:
        """Return the seconds since a moment on the steady clock; 0 for an unknown or future moment."""
        return max(0.0, self.steady - steady) if steady >= EARLIEST else 0.0

    def until(self, steady: float, *, longest: float) -> float:
        """Return the seconds until a moment on the steady clock, from 0 to `longest`."""
        return min(max(0.0, steady - self.steady), longest)

    def date_of(self, steady: float) -> datetime:
        """Return the wall-clock time of a moment on the steady clock, by the wall clock as it is set now."""
        present = datetime.fromtimestamp(self.wall, UTC)
        try:
            return present + timedelta(seconds=round(steady - self.steady, 3))
        except OverflowError:
            return present

    def is_same_boot(self, other: Moment) -> bool:
        """Return whether the device certainly did not restart between the two moments."""
        return bool(self.boot_id) and self.boot_id == other.boot_id


class SteadyClock:
    """The time for everything that ages or becomes due; thread-safe."""

    def __init__(
        self,
        *,
        read: Callable[[], Moment] = Moment.now,
        running: Callable[[], float] = time.monotonic,
    ) -> None:
        """Create a clock without earlier readings; `go_on` continues the clock of an earlier run.

        Args:
            read: reads the device's clocks.
            running: reads a clock that counts seconds, except while the device is suspended.
        """
        self._read = read
        self._running = running
        self._started = running()
        present = read()
        self._base = self._at(present, steady=max(present.wall, CLOCK_UNSET_BEFORE))

    def go_on(self, last: Moment) -> None:
        """Continue from the clock's last reading in an earlier run of lpad."""
        present = self._read()
        self._started = self._running()
        self._base = self._at(present, steady=last.steady + self._gap(last, present), ran=last.ran)

    def begin_after(self, latest: float) -> None:
        """Set the clock by the journal of an older version of lpad, which had no steady clock.

        Args:
            latest: the latest moment in the journal, in seconds since 1970 by the wall clock of that time.
        """
        present = self._read()
        wall = max(present.wall, CLOCK_UNSET_BEFORE)
        self._base = self._at(present, steady=min(wall, max(latest, EARLIEST) + LONGEST_GAP))

    def now(self) -> Moment:
        """Read all clocks."""
        present, base = self._read(), self._base
        passed = max(0.0, present.boot - base.boot)
        ran = base.ran + max(0.0, self._running() - self._started)
        return self._at(present, steady=base.steady + passed, ran=ran)

    def _gap(self, last: Moment, present: Moment) -> float:
        """Return the plausible number of seconds between two moments."""
        if present.is_same_boot(last):
            return max(0.0, present.boot - last.boot)
        since_boot = present.boot if present.boot_id else 0.0  # at least this time has passed
        both_set = min(last.wall, present.wall) >= CLOCK_UNSET_BEFORE
        off = min(max(0.0, present.wall - last.wall), LONGEST_GAP) if both_set else 0.0
        return max(since_boot, off)

    @staticmethod
    def _at(present: Moment, *, steady: float, ran: float = 0.0) -> Moment:
        return Moment(wall=present.wall, boot=present.boot, boot_id=present.boot_id, steady=steady, ran=ran)
