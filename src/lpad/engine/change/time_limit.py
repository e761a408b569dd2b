"""A time limit that outlives a restart of lpad or of the device, also on boards whose clock is wrong.

Within one boot the clock that counts from boot decides: nobody sets it. After a reboot there is only the wall
clock. If it says that the limit has passed, it has. If it was not set when the limit began, or stands before
that moment now, as on boards without a clock of their own, nobody knows how long the device was off. Then the
limit is granted once more, and once only: a device that dies again and again under a new profile must get
back to the old one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

from lpad.base.outside_number import noted_number
from lpad.engine.change.moment import LATEST, Moment
from lpad.engine.change.notes import NotedLimit
from lpad.remote.trust.tls_failure import CLOCK_UNSET_BEFORE


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeLimit:
    """So many seconds from a moment on, and whether they were granted a second time."""

    seconds: float
    began: Moment
    renewed: bool = False

    @classmethod
    def starting(cls, seconds: float, *, at: Moment) -> Self:
        """Return the limit that passes so many seconds after `at`."""
        return cls(seconds=seconds, began=at)

    def left(self, at: Moment) -> float:
        """Return the seconds that remain, never less than 0 and never more than there were."""
        if at.is_same_boot(self.began):
            spent = at.boot - self.began.boot
        elif self._clocks_agree(at):
            spent = at.wall - self.began.wall
        else:
            spent = self.seconds if self.renewed else 0.0
        return min(max(0.0, self.seconds - spent), self.seconds)

    def carried_on(self, at: Moment) -> TimeLimit:
        """Return the limit as it counts from here: the same, or renewed where the clock was set back."""
        if at.is_same_boot(self.began):
            return self
        renewed = self.renewed or not self._clocks_agree(at)
        return replace(self, seconds=self.left(at), began=at, renewed=renewed)

    def _clocks_agree(self, at: Moment) -> bool:
        """Whether the wall clock may tell how long it is: it was set, and was not set back."""
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
        """Return the limit that was noted; one that was damaged on the disk has passed."""
        seconds, wall, boot = (
            noted_number(each, default=0.0, most=LATEST) for each in (noted.seconds, noted.wall, noted.boot)
        )
        began = Moment(wall=wall, boot=boot, boot_id=noted.boot_id)
        return cls(seconds=seconds, began=began, renewed=noted.renewed)
