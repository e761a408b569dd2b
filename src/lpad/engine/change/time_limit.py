"""A time limit that survives a restart of lpad or of the device, even on boards with a wrong clock.

Within one boot, the clock that counts from boot decides, because it cannot be set. After a reboot there is
only the wall clock. If the wall clock shows that the limit has passed, the limit counts as passed. If the
wall clock was not set when the limit began, or shows an earlier time now, as on boards without a battery, the
time without power is unknown. If that time is unknown, the limit begins again, but only once, because a
device that keeps restarting under a new profile must return to the previous one.
"""

from __future__ import annotations

from typing import Self

from msgspec.structs import replace

from lpad.base.frozen import Frozen
from lpad.base.untrusted_number import noted_number
from lpad.engine.change.notes import NotedLimit
from lpad.engine.change.steady_clock import LATEST, Moment
from lpad.remote.trust.tls_failure import CLOCK_UNSET_BEFORE


class TimeLimit(Frozen, kw_only=True):
    """A number of seconds from a moment on, and whether they were granted a second time."""

    seconds: float
    began: Moment
    renewed: bool = False

    @classmethod
    def starting(cls, seconds: float, *, at: Moment) -> Self:
        """Return the limit that passes a number of seconds after `at`."""
        return cls(seconds=seconds, began=at)

    def left(self, at: Moment) -> float:
        """Return the remaining seconds, from 0 to the whole limit."""
        if at.is_same_boot(self.began):
            spent = at.boot - self.began.boot
        elif self._clocks_agree(at):
            spent = at.wall - self.began.wall
        else:
            spent = self.seconds if self.renewed else 0.0
        return min(max(0.0, self.seconds - spent), self.seconds)

    def carried_on(self, at: Moment) -> TimeLimit:
        """Return the limit that counts from now on: the same within one boot, else the remaining seconds.

        If the wall clock cannot measure time across a reboot, all seconds are granted again, but only once.
        """
        if at.is_same_boot(self.began):
            return self
        renewed = self.renewed or not self._clocks_agree(at)
        return replace(self, seconds=self.left(at), began=at, renewed=renewed)

    def _clocks_agree(self, at: Moment) -> bool:
        """Return whether the wall clock can measure the time: it was set, and was not set back."""
        return CLOCK_UNSET_BEFORE <= self.began.wall <= at.wall

    def noted(self) -> NotedLimit:
        """Return the limit as the journal keeps it."""
        began = self.began
        return NotedLimit(
            seconds=self.seconds,
            wall=began.wall,
            boot=began.boot,
            boot_id=began.boot_id,
            renewed=self.renewed,
        )

    @classmethod
    def read(cls, noted: NotedLimit) -> Self:
        """Return the stored limit; a number that was damaged on the disk counts as 0."""
        seconds, wall, boot = (
            noted_number(each, default=0.0, most=LATEST) for each in (noted.seconds, noted.wall, noted.boot)
        )
        began = Moment(wall=wall, boot=boot, boot_id=noted.boot_id)
        return cls(seconds=seconds, began=began, renewed=noted.renewed)
