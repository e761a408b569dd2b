"""lpad's own queries to SM-DSs: a fleet of 10,000 devices over days, in simulated time."""

from __future__ import annotations

import random
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from lpad.engine.unattended import unattended_discovery
from lpad.engine.unattended.unattended_discovery import DiscoveryTime, next_time

if TYPE_CHECKING:
    from collections.abc import Callable

DEVICES = 10_000
DAY, HOUR, MINUTE = 86_400.0, 3_600.0, 60.0
START = 1.8e9


@pytest.fixture(autouse=True)
def seeded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seed the random numbers, so that each run has the same fleet."""
    monkeypatch.setattr(unattended_discovery, "random", random.Random(20))


def asked(
    days: float,
    *,
    off: tuple[float, float] = (0, 0),
    fails: Callable[[float], bool] = lambda _: False,
    jitter: float = HOUR,
) -> list[float]:
    """Return when the devices of a fleet query, in seconds from the moment at which all of them start.

    Args:
        days: how long the fleet runs.
        off: the start and the end of a time without power, in seconds.
        fails: returns whether the server fails at the given second.
        jitter: the setting `jitter`, in seconds.
    """
    moments = []
    for _ in range(DEVICES):
        known, clock = next_time(None, every=DAY, jitter=jitter, failed=False, now=START), START
        while True:
            due = max(clock, known.next_at)
            if off[0] <= due - START < off[1]:
                clock = START + off[1]
                known = next_time(known, every=DAY, jitter=jitter, failed=False, now=clock)
                continue
            if due - START >= days * DAY:
                break
            moments.append(due - START)
            known = DiscoveryTime(next_at=due + DAY, change=1, failures=known.failures)
            failed = fails(due - START)
            clock = due + 2
            known = next_time(known, every=DAY, jitter=jitter, failed=failed, now=clock)
    return moments


def busiest(moments: list[float], seconds: float = MINUTE) -> int:
    """Return the largest number of queries in one period of the given length."""
    return max(Counter(int(each // seconds) for each in moments).values())


def test_a_fleet_is_spread_over_the_day() -> None:
    """10,000 devices that start together query 10,000 times a day, and at most 25 times in any minute."""
    moments = asked(3)
    assert len(moments) == 3 * DEVICES
    assert busiest(moments) <= 25


def test_a_fleet_that_was_without_power() -> None:
    """After ten hours without power, a fleet's overdue queries are at most 110 in a minute."""
    moments = asked(2, off=(DAY, DAY + 10 * HOUR))
    after = [each for each in moments if DAY + 10 * HOUR <= each < DAY + 11 * HOUR]
    assert len(after) < 0.5 * DEVICES
    assert busiest(moments) <= 110


def test_a_server_that_is_down() -> None:
    """A server that fails for a day gets at most four queries per device, and 60 in a minute."""
    moments = asked(2, fails=lambda moment: moment >= 0 and moment < DAY)
    assert len([each for each in moments if each < DAY]) <= 4 * DEVICES
    assert busiest(moments) <= 60


def test_a_shorter_period() -> None:
    """If the settings get a shorter period, a discovery that is planned far ahead is moved forward."""
    planned = next_time(
        DiscoveryTime(next_at=START + 20 * DAY), every=DAY, jitter=HOUR, failed=False, now=START
    )
    assert START <= planned.next_at <= START + DAY


def test_a_success_ends_the_failures() -> None:
    """A successful discovery keeps the planned time and resets the failures; a failure adds 1 to them."""
    known = DiscoveryTime(next_at=START + DAY, change=7, failures=3)
    success = next_time(known, every=DAY, jitter=HOUR, failed=False, now=START)
    assert success == DiscoveryTime(next_at=START + DAY)
    for before, failures in ((known, 4), (success, 1)):
        failure = next_time(before, every=DAY, jitter=HOUR, failed=True, now=START)
        assert (failure.failures, failure.change) == (failures, None)
