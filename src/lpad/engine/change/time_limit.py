"""A time limit that outlives a restart of lpad or of the device, also on boards whose clock is wrong.

Within one boot the clock that counts from boot decides: nobody sets it. After a reboot there is only the wall
clock. If it says that the limit has passed, it has: at worst a profile is taken back that might have been
kept. If it stands before the moment at which the limit began, it was set back, as on boards without a clock
of their own, and nobody knows how long the device was off. Then the limit is granted once more, and once
only: a device that dies again and again under a new profile must get back to the old one.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from lpad.base.outside_number import noted_number

if TYPE_CHECKING:
    from lpad.engine.change.change import Json

_LATEST = 253402300799.0
"""The last second of the year 9999: no moment and no duration is larger."""
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What the clocks show: seconds since 1970, seconds since boot, and which boot."""

    wall: float
    boot: float
    boot_id: str

    @classmethod
    def now(cls) -> Self:
        """Read the clocks."""
        try:
            boot_id = _BOOT_ID.read_text(encoding="ascii").strip()
        except OSError:
            boot_id = ""  # no two boots are the same then, and the wall clock decides
        return cls(wall=time.time(), boot=time.clock_gettime(time.CLOCK_BOOTTIME), boot_id=boot_id)


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
        if at.boot_id and at.boot_id == self.began.boot_id:
            spent = at.boot - self.began.boot
        else:
            spent = at.wall - self.began.wall
            if spent < 0:
                spent = self.seconds if self.renewed else 0.0
        return min(max(0.0, self.seconds - spent), self.seconds)

    def carried_on(self, at: Moment) -> TimeLimit:
        """Return the limit as it counts from here: the same, or renewed where the clock was set back."""
        if at.boot_id and at.boot_id == self.began.boot_id:
            return self
        set_back = at.wall < self.began.wall
        return replace(self, seconds=self.left(at), began=at, renewed=self.renewed or set_back)

    def noted(self) -> dict[str, Json]:
        """Return the limit as the journal keeps it."""
        return {
            "seconds": self.seconds,
            "wall": self.began.wall,
            "boot": self.began.boot,
            "boot_id": self.began.boot_id,
            "renewed": self.renewed,
        }

    @classmethod
    def read(cls, noted: dict[str, Json]) -> Self:
        """Return the limit that was noted; one that was damaged on the disk has passed."""
        seconds, wall, boot = (
            noted_number(noted.get(name), default=0.0, most=_LATEST) for name in ("seconds", "wall", "boot")
        )
        began = Moment(wall=wall, boot=boot, boot_id=str(noted.get("boot_id", "")))
        return cls(seconds=seconds, began=began, renewed=bool(noted.get("renewed")))
