"""A moment in time that a blocking call must not outlast.

A deadline is created once and passed along. All steps that it covers share the same time, so a chain
of ten reads cannot wait ten times as long as intended.

A deadline may also carry a `Cancellation`, with which another thread ends the waits for a server.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar

from msgspec.structs import replace

from lpad.base.frozen import Frozen
from lpad.base.liveness import busy_until

if TYPE_CHECKING:
    from lpad.base.cancellation import Cancellation


class Deadline(Frozen):
    """A point on the monotonic clock, in seconds."""

    HIDDEN: ClassVar[frozenset[str]] = frozenset({"cancellation"})
    at: float
    cancellation: Cancellation | None = None
    """Can end waits for servers before the deadline; None: waits never end early."""

    @classmethod
    def after(cls, seconds: float, *, cancellation: Cancellation | None = None) -> Deadline:
        """Return the deadline that passes `seconds` from now."""
        deadline = cls(time.monotonic() + seconds, cancellation)
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
        """Return the earlier of this deadline and `seconds` from now, to limit one step."""
        return replace(self, at=min(self.at, time.monotonic() + seconds))

    def later(self, seconds: float) -> Deadline:
        """Return a deadline that is `seconds` later."""
        return replace(self, at=self.at + seconds)

    def check(self) -> None:
        """Raise an error if cancelled; code that waits for a server calls this before and after each wait.

        Raises:
            Cancelled: another thread has cancelled the work that this deadline covers.
        """
        if self.cancellation is not None:
            self.cancellation.check()
