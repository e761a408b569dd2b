"""The difference between the platform's clock and this device's, for signatures only.

A board without a clock battery starts in the past, and a platform refuses a signature over a wrong time. The
answer's Date shows the difference. lpad never sets the system's clock by it, and TLS still checks dates
against that clock.
"""

from __future__ import annotations

import logging
import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_LOG = logging.getLogger(__name__)

NOTABLE = 30.0
"""Seconds by which a clock may be wrong before lpad logs the difference."""
_NEGLIGIBLE = 2.0
"""The tolerance in seconds: a Date has no fractions, and an answer takes some time."""


class ClockOffset:
    """The time according to one platform's answers."""

    def __init__(self, platform: str, *, wall: Callable[[], float] = time.time) -> None:
        """Create an offset of zero.

        Args:
            platform: the platform's name, for the log.
            wall: this device's clock, in seconds since 1970.
        """
        self._platform = platform
        self._wall = wall
        self.seconds = 0.0
        """Seconds by which the platform's clock is ahead of this device's."""

    def now(self) -> float:
        """Return the platform's time, in seconds since 1970."""
        return self._wall() + self.seconds

    def learn(self, date: str | None) -> bool:
        """Process an answer's Date; return whether the difference has changed.

        Args:
            date: the header (RFC 9110, 6.6.1); None, or an invalid date, changes nothing.
        """
        try:
            told = parsedate_to_datetime(date or "").timestamp()
        except (ValueError, TypeError, IndexError, OverflowError):
            return False
        offset = told - self._wall()
        if abs(offset) <= _NEGLIGIBLE:
            offset = 0.0
        if abs(offset - self.seconds) <= _NEGLIGIBLE:
            return False
        if abs(offset) > NOTABLE:
            _LOG.warning(
                "this device's clock is %.0f seconds %s that of the platform '%s'; lpad signs with the"
                " platform's"
                " time and does not set the clock",
                abs(offset),
                "behind" if offset > 0 else "ahead of",
                self._platform,
            )
        self.seconds = offset
        return True
