"""Growing waits between attempts, randomly spread so that devices do not act at the same moment."""

from __future__ import annotations

import random

from lpad.base.frozen import Frozen

JITTER = 0.2
"""The fraction by which a wait is randomly shortened or prolonged, so that the devices of a fleet do not
all return at the same moment after a network failure."""


class Backoff(Frozen):
    """Seconds to wait after each failed attempt; the last value applies to all further attempts."""

    seconds: tuple[float, ...]

    def after(self, failures: int) -> float:
        """Return the seconds to wait, randomly spread, after this number of failed attempts (1 or more)."""
        return self._nominal(failures) * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - jitter needs no cryptographic randomness

    def least_after(self, failures: int) -> float:
        """Return the shortest wait that `after` can return for this number of failed attempts."""
        return self._nominal(failures) * (1 - JITTER)

    def _nominal(self, failures: int) -> float:
        return self.seconds[min(max(failures, 1), len(self.seconds)) - 1]

    @property
    def longest(self) -> float:
        """The longest possible wait, in seconds."""
        return self.seconds[-1] * (1 + JITTER)
