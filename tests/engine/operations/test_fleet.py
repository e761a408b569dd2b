"""A fleet that boots at once: a thousand wishes in simulated time, within what the platform allows."""

from __future__ import annotations

import heapq
import itertools
import random
from collections import Counter

import pytest

from lpad.base.backoff import JITTER
from lpad.engine.operations.provision import BACKOFF, spread_wait

DEVICES = 1000
READY = 900.0
"""Seconds after which the platform has a profile ready."""


class _Platform:
    """Answers so many calls in a minute, and says "later" to the others, as emnify's does with 429."""

    def __init__(self, per_minute: int, *, retry_after: float | None) -> None:
        self.calls: Counter[int] = Counter()
        self.refused = 0
        self._per_minute = per_minute
        self._retry_after = retry_after

    def call(self, now: float) -> tuple[bool, float]:
        """Return whether a call is answered, and the least seconds to wait if it is not."""
        minute = int(now // 60)
        if self.calls[minute] >= self._per_minute:
            self.refused += 1
            return False, self._retry_after or 0.0
        self.calls[minute] += 1
        return True, 0.0


@pytest.mark.parametrize("retry_after", [60.0, None])
def test_a_thousand_devices_at_once(monkeypatch: pytest.MonkeyPatch, retry_after: float | None) -> None:
    """All get their profile, no minute has more calls than allowed, and few calls are refused."""
    monkeypatch.setattr("lpad.base.backoff.random", random.Random(7))
    monkeypatch.setattr("lpad.engine.operations.provision.random", random.Random(8))
    platform = _Platform(400, retry_after=retry_after)
    order = itertools.count()
    waiting = [(0.0, next(order), 0) for _ in range(DEVICES)]
    ended = []
    while waiting:
        now, _, looks = heapq.heappop(waiting)
        answered, least = platform.call(now)
        if answered and now >= READY:
            ended.append(now)
            continue
        wait = spread_wait(looks + 1, least=30.0 if answered else least)
        heapq.heappush(waiting, (now + wait, next(order), looks + 1))
    assert len(ended) == DEVICES
    assert max(platform.calls.values()) <= 400
    assert max(ended) < READY + BACKOFF.longest
    assert platform.refused < 4 * DEVICES


def test_no_two_devices_wait_alike() -> None:
    """A wait is never shorter than the platform asks for, and differs from device to device."""
    waits = [spread_wait(1, least=600.0) for _ in range(100)]
    assert min(waits) >= 600.0
    assert max(waits) <= 600.0 * (1 + JITTER)
    assert len(set(waits)) > 90
