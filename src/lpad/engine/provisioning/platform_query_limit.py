"""The limit for hints: requests make lpad query a platform at most once a minute.

A request for a wish that lpad already has is a hint that something has changed. After a hint, lpad queries
the platform earlier than planned. The limit applies to all cards and callers together, uses a clock that
cannot be set, and begins again after a restart. Hints do not change the planned queries, which count for the
limit, too.
"""

from __future__ import annotations

import math
import threading
import time

EVERY = 60.0
"""The number of seconds between a query to a platform and the next one because of a hint."""


class HintLimit:
    """The times at which lpad may query each platform because of a hint; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._latest: dict[str, float] = {}
        """The monotonic time of the latest query, or of the one that a hint will cause, by platform."""

    def looked(self, platform: str) -> None:
        """Record a query to a platform."""
        with self._lock:
            self._latest[platform] = max(self._latest.get(platform, 0.0), time.monotonic())

    def take(self, platform: str, every: float, within: float = math.inf) -> float | None:
        """Reserve the next possible time for a query because of a hint.

        Args:
            platform: the platform's name in the settings.
            every: the minimum number of seconds that the platform requires between two queries; values
                below a minute have no effect.
            within: seconds until lpad's planned query.

        Returns: Seconds until that time, 0: now. None: the planned query comes earlier, and nothing is
            reserved.
        """
        with self._lock:
            present = time.monotonic()
            latest = self._latest.get(platform)
            place = present if latest is None else max(present, latest + max(every, EVERY))
            if place - present >= within:
                return None
            self._latest[platform] = place
            return place - present
