"""The presence of a card: whether its port exists, and when lpad tries an absent card again."""

from __future__ import annotations

import math
import time

REOPENING: tuple[int, ...] = (1, 5, 60, 120, 300, 900)
"""Seconds until an absent card is tried again; the last value repeats. A new change tries the card
immediately. The first two values are for a card that is only restarting, for example after a REFRESH that
preceded lpad's own start. Later an idle daemon wakes up no more than once a minute.
"""


class Presence:
    """A worker's knowledge of a card's presence; callers must hold the worker's lock."""

    def __init__(self) -> None:
        self._ready = False
        self._failures = 0
        self._look_at = 0.0
        self._told = False
        self._port_there = True
        self._port_went: float | None = None
        self.found_at = -math.inf
        """When the card was read last, in monotonic time."""
        self.tried_at = -math.inf
        """When the last check began, whatever its result, in monotonic time."""

    def begins(self) -> None:
        """Record the start of a check, so that later reports count as newer than its result."""
        self._told = False
        self.tried_at = time.monotonic()

    def found(self) -> None:
        """Record that the card was read."""
        self._ready = True
        self._failures = 0
        self.found_at = time.monotonic()

    def missed(self, *, served: bool = False) -> None:
        """Record that the card could not be reached, and delay the next check unless there are new reports.

        Args:
            served: whether another worker serves the card. That worker tells this one when it releases the
                card; a check between a command and its GET RESPONSE would disturb it.
        """
        self._ready = False
        self._port_went = None
        if self._told:
            return
        step = -1 if served else min(self._failures, len(REOPENING) - 1)
        self._look_at = time.monotonic() + REOPENING[step]
        self._failures += 1

    def look_now(self) -> None:
        """Try an absent card immediately; if that fails, start again with the shortest pause."""
        self._failures = 0
        self._look_at = time.monotonic()
        self._told = True

    def begin_again(self) -> None:
        """Try an absent card again soon, then with growing pauses, because the report or the error is new."""
        if not self._ready:
            self._failures = 1
            self._look_at = min(self._look_at, time.monotonic() + REOPENING[0])

    def port_seen(self, *, there: bool) -> None:
        """Record the system's report of whether the port exists."""
        self._port_there = there
        if self._ready:
            if not there and self._port_went is None:
                self._port_went = time.monotonic()
        elif there:
            # A modem that is still starting is tried again as after lpad's own start.
            self.look_now()

    @property
    def looks_at(self) -> float | None:
        """The monotonic time of the next attempt to reach the card; None while the card is present."""
        return None if self._ready else self._look_at

    @property
    def port_went_at(self) -> float | None:
        """When the port of a present card disappeared, in monotonic time; None: nothing is to be handled."""
        return self._port_went if self._ready else None

    def take_news(self) -> bool:
        """Return whether the port exists now, and mark its disappearance as handled."""
        self._port_went = None
        return self._port_there
