"""The presence of a card: whether its port is there, and when an absent one is looked for again."""

from __future__ import annotations

import time

REOPENING = (1, 5, 60, 120, 300, 900)
"""Seconds until an absent card is looked for again; the last one stays. A change looks at once.

The first two are for a card that was only restarting, as it does when a REFRESH from before lpad's own
restart reaches it. Later an idle daemon wakes up no more than once a minute.
"""


class Presence:
    """What a worker knows of a card's coming and going; whoever uses it holds the worker's lock."""

    def __init__(self) -> None:
        self._ready = False
        self._failures = 0
        self._look_at = 0.0
        self._told = False
        self._port_there = True
        self._port_went: float | None = None

    def begins(self) -> None:
        """Take note that somebody begins to look: what is told from here on may be news to what is seen."""
        self._told = False

    def found(self) -> None:
        """Take note that the card was read."""
        self._ready = True
        self._failures = 0

    def missed(self, *, served: bool = False) -> None:
        """Take note that it could not be reached, and put off the next look unless there is news.

        Args:
            served: whether another worker serves the card, which tells when it lets go; a look between a
                command and its GET RESPONSE would spoil that worker's.
        """
        self._ready = False
        self._port_went = None
        if self._told:
            return
        step = -1 if served else min(self._failures, len(REOPENING) - 1)
        self._look_at = time.monotonic() + REOPENING[step]
        self._failures += 1

    def look_now(self) -> None:
        """Have an absent card looked for at once, and soon again."""
        self._failures = 0
        self._look_at = time.monotonic()
        self._told = True

    def port_seen(self, *, there: bool) -> None:
        """Take note of what the system tells of the port."""
        self._port_there = there
        if self._ready:
            if not there and self._port_went is None:
                self._port_went = time.monotonic()
        elif there:
            # A modem that is still starting is looked for again as after lpad's own start.
            self.look_now()

    @property
    def looks_at(self) -> float | None:
        """When to look for the card, in monotonic time; None while it is there."""
        return None if self._ready else self._look_at

    @property
    def port_went_at(self) -> float | None:
        """When the port of a card that was there went, in monotonic time; None where it did not."""
        return self._port_went if self._ready else None

    def take_news(self) -> bool:
        """Return whether the port is there now; that it went is known from here on."""
        self._port_went = None
        return self._port_there
