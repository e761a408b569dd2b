"""A moment in time that a blocking call must not outlast.

A deadline is made once, where the patience is known, and passed along: every step that it covers
draws from the same time, so a chain of ten reads can't wait ten times as long as was meant.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from lpad.base.liveness import busy_until


@dataclass(frozen=True, slots=True)
class Deadline:
    """A point on the monotonic clock, in seconds."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """Return the deadline that passes `seconds` from now."""
        deadline = cls(time.monotonic() + seconds)
        busy_until(deadline.at)
        return deadline

    def remaining(self) -> float:
        """Return the seconds left, never below 0."""
        busy_until(self.at)
        return max(0.0, self.at - time.monotonic())

    @property
    def passed(self) -> bool:
        """Whether no time is left."""
        busy_until(self.at)
        return time.monotonic() >= self.at

    def within(self, seconds: float) -> Deadline:
        """Return the earlier of this deadline and `seconds` from now: a part of the time for one step."""
        return Deadline(min(self.at, time.monotonic() + seconds))
