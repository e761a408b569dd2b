"""Counts and durations since the daemon's start; the parts that count or measure call `Counters`."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter

from msgspec import Struct

APDU_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
SERVER_BOUNDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""The upper bounds in seconds of all classes of durations except the last."""


class Durations(Struct, frozen=True):
    """The number of durations in each class, the last without an upper bound, and their sum in seconds."""

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    total: float

    @property
    def cumulative(self) -> list[tuple[float, int]]:
        """The number of durations up to each bound; the last bound is infinity."""
        ends = [*self.bounds, float("inf")]
        return [(end, sum(self.counts[: number + 1])) for number, end in enumerate(ends)]


class Counters:
    """Counts and durations; usable from every thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._changes: Counter[tuple[str, str]] = Counter()
        self._guards: Counter[str] = Counter()
        self._apdus: dict[str, _Histogram] = {}
        self._servers: dict[str, _Histogram] = {}

    def change_ended(self, kind: str, outcome: str) -> None:
        """Count an ended change."""
        with self._lock:
            self._changes[kind, outcome] += 1

    def guard_ended(self, outcome: str) -> None:
        """Count an ended guarded switch."""
        with self._lock:
            self._guards[outcome] += 1

    def apdu(self, euicc: str, seconds: float) -> None:
        """Record the duration of a command to a card, including transport."""
        with self._lock:
            self._apdus.setdefault(euicc, _Histogram(APDU_BOUNDS)).observe(seconds)

    def server(self, function: str, seconds: float) -> None:
        """Record the duration of a call to a server's function, including the connection."""
        with self._lock:
            self._servers.setdefault(function, _Histogram(SERVER_BOUNDS)).observe(seconds)

    def changes(self) -> dict[tuple[str, str], int]:
        """Return the number of ended changes, by kind and outcome."""
        with self._lock:
            return dict(self._changes)

    def guards(self) -> dict[str, int]:
        """Return the number of ended guarded switches, by outcome."""
        with self._lock:
            return dict(self._guards)

    def apdus(self) -> dict[str, Durations]:
        """Return the durations of commands by card."""
        with self._lock:
            return {name: histogram.durations() for name, histogram in self._apdus.items()}

    def servers(self) -> dict[str, Durations]:
        """Return the durations of ES9+ and ES11 functions by name."""
        with self._lock:
            return {name: histogram.durations() for name, histogram in self._servers.items()}


class _Histogram:
    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._total = 0.0

    def observe(self, seconds: float) -> None:
        self._counts[bisect_left(self._bounds, seconds)] += 1
        self._total += seconds

    def durations(self) -> Durations:
        return Durations(self._bounds, tuple(self._counts), self._total)
