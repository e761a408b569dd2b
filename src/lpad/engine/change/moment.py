"""A moment on every clock there is, and the clock of lpad's own by which it tells age.

The wall clock is for people. It starts at 1970 on boards without a battery, a time server sets it, a wrong
one sets it wrong, and it is set back again. The clock that counts from boot does none of that, and ends with
the boot. The steady clock joins them: it goes on with the clock of each boot, and over a reboot by what can
be believed.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Self

from lpad.remote.trust.tls_failure import CLOCK_UNSET_BEFORE

if TYPE_CHECKING:
    from collections.abc import Callable

EARLIEST = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
"""No steady clock shows less: a number below is of an earlier lpad, on a board whose clock was not set."""
LATEST = datetime(9999, 12, 31, tzinfo=UTC).timestamp()
LONGEST_GAP = 24 * 3600.0
"""Seconds that a device's being off counts for at most, by clocks that both seem to be set: one may be years
ahead, and nothing may age by years because of that."""

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What the clocks show.

    `wall` is seconds since 1970, `boot` seconds since boot, `boot_id` which boot. `steady` is the steady
    clock: close to seconds since 1970, but only differences mean anything. `ran` is for how many seconds lpad
    has run since its journal was begun.
    """

    wall: float
    boot: float
    boot_id: str
    steady: float = 0.0
    ran: float = 0.0

    @classmethod
    def now(cls) -> Self:
        """Read the device's clocks; `SteadyClock.now` has lpad's own as well."""
        try:
            boot_id = _BOOT_ID.read_text(encoding="ascii").strip()
        except OSError:
            boot_id = ""  # no two boots are the same then, and the wall clock decides
        return cls(wall=time.time(), boot=time.clock_gettime(time.CLOCK_BOOTTIME), boot_id=boot_id)

    def since(self, steady: float) -> float:
        """Return the seconds since a moment on the steady clock; 0 for one that is unknown or lies ahead."""
        return max(0.0, self.steady - steady) if steady >= EARLIEST else 0.0

    def until(self, steady: float, *, longest: float) -> float:
        """Return the seconds until a moment on the steady clock, from 0 to `longest`."""
        return min(max(0.0, steady - self.steady), longest)

    def date_of(self, steady: float) -> datetime:
        """Return, for people, what the wall clock shows at a moment on the steady clock, as it is set now."""
        present = datetime.fromtimestamp(self.wall, UTC)
        try:
            return present + timedelta(seconds=round(steady - self.steady, 3))
        except OverflowError:
            return present

    def is_same_boot(self, other: Moment) -> bool:
        """Whether the device was not started in between."""
        return bool(self.boot_id) and self.boot_id == other.boot_id


class SteadyClock:
    """Tells the time for all that ages or is due; from every thread."""

    def __init__(
        self,
        *,
        read: Callable[[], Moment] = Moment.now,
        running: Callable[[], float] = time.monotonic,
        unset_before: float = CLOCK_UNSET_BEFORE,
    ) -> None:
        """Begin as a clock without a past; `go_on` gives it one.

        Args:
            read: reads the device's clocks.
            running: seconds that pass while the device runs and is not suspended.
            unset_before: seconds since 1970; a wall clock that shows less was not set.
        """
        self._read = read
        self._running = running
        self._unset_before = unset_before
        self._started = running()
        present = read()
        self._base = self._at(present, steady=max(present.wall, unset_before))

    def go_on(self, last: Moment) -> None:
        """Go on from what this clock showed last, in an earlier run of lpad."""
        present = self._read()
        self._started = self._running()
        self._base = self._at(present, steady=last.steady + self._gap(last, present), ran=last.ran)

    def begin_after(self, latest: float) -> None:
        """Begin in a journal of an lpad that had no such clock.

        Args:
            latest: the largest moment in it, in seconds since 1970 by the wall clock of that time.
        """
        present = self._read()
        wall = max(present.wall, self._unset_before)
        self._base = self._at(present, steady=min(wall, max(latest, EARLIEST) + LONGEST_GAP))

    def now(self) -> Moment:
        """Read all clocks."""
        present, base = self._read(), self._base
        passed = max(0.0, present.boot - base.boot)
        ran = base.ran + max(0.0, self._running() - self._started)
        return self._at(present, steady=base.steady + passed, ran=ran)

    def _gap(self, last: Moment, present: Moment) -> float:
        """Return the seconds between two moments that can be believed."""
        if present.is_same_boot(last):
            return max(0.0, present.boot - last.boot)
        since_boot = present.boot if present.boot_id else 0.0  # so long it is at least
        both_set = min(last.wall, present.wall) >= self._unset_before
        off = min(max(0.0, present.wall - last.wall), LONGEST_GAP) if both_set else 0.0
        return max(since_boot, off)

    @staticmethod
    def _at(present: Moment, *, steady: float, ran: float = 0.0) -> Moment:
        return Moment(wall=present.wall, boot=present.boot, boot_id=present.boot_id, steady=steady, ran=ran)
