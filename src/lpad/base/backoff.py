"""Waiting longer and longer between attempts, and never at the same moment as everybody else."""

from __future__ import annotations

import random
from dataclasses import dataclass

JITTER = 0.2
"""By how much of itself a wait is shortened or prolonged, so that a fleet that lost its network at one moment
does not come back at one moment."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """Seconds to wait by the number of attempts that failed; the last one stays."""

    seconds: tuple[float, ...]

    def after(self, failures: int) -> float:
        """Return the seconds to wait, spread, after so many attempts that failed, from 1."""
        wait = self.seconds[min(max(failures, 1), len(self.seconds)) - 1]
        return wait * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - no secret

    @property
    def longest(self) -> float:
        """The most that is ever waited, in seconds."""
        return self.seconds[-1] * (1 + JITTER)
