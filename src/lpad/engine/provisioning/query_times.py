"""The times at which lpad calls a platform again: the waits grow, and spread the calls of a fleet."""

from __future__ import annotations

import random

from lpad.base.backoff import JITTER, Backoff

BACKOFF = Backoff((15, 30, 60, 120, 300, 600, 1800, 3600))
"""Seconds between queries, and between failed attempts."""
WIDEST = 3600.0
"""The maximum number of seconds over which a device spreads its calls."""
_FIRST = 900.0
"""Seconds over which a device spreads its calls to an overloaded platform that requests no shorter time."""
_NARROWEST = 30.0
_TIMES_TOLD = 15
"""A platform's Retry-After is about as long as the period of its rate limit; a fleet needs several such
periods."""
_GROWTH = 3


def wait(looks: int, *, least: float, spread: float) -> float:
    """Return the seconds until the next call.

    Args:
        looks: the number of unsuccessful queries, from 1.
        least: the minimum number of seconds that the platform requests.
        spread: seconds over which lpad spreads calls, because the platform received too many; 0: none.
    """
    chosen = random.uniform(0, spread) if spread else least * random.uniform(0, JITTER)  # noqa: S311 - no secret
    return max(BACKOFF.after(looks), least + chosen)


def wider(spread: float, *, told: float | None) -> float:
    """Return the seconds over which to spread calls after the platform received too many.

    Args:
        spread: the seconds so far; 0: none.
        told: the platform's Retry-After in seconds; None: the platform sent none.
    """
    first = _FIRST if told is None else min(max(_TIMES_TOLD * told, _NARROWEST), _FIRST)
    return min(max(first, _GROWTH * spread), WIDEST)
