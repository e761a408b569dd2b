"""A fleet that boots at one moment: a thousand wishes in simulated time, within the platform's limits."""

from __future__ import annotations

import random

import pytest

from engine.operations.fleet import MINUTE, CrowdedPlatform, Fleet
from lpad.engine.provisioning import query_times

DEVICES = 1000
PER_MINUTE = 400
BOOTING = 5.0
"""Seconds in which all devices of the fleet boot, as after a power cut."""


@pytest.mark.parametrize(("like", "retry_after", "ready"), [("desk", 60, 900.0), ("kore", None, 0.0)])
def test_a_thousand_devices_at_the_same_time(
    monkeypatch: pytest.MonkeyPatch, like: str, retry_after: int | None, ready: float
) -> None:
    """Each device gets one profile with one order; most are refused once, few again, none calls too early."""
    monkeypatch.setattr("lpad.base.backoff.random", random.Random(7))
    monkeypatch.setattr(query_times, "random", random.Random(8))
    platform = CrowdedPlatform(like, per_minute=PER_MINUTE, retry_after=retry_after, ready=ready)
    fleet = Fleet(platform, like, monkeypatch)
    fleet.boot(DEVICES, within=BOOTING)
    assert (len(fleet.ended), platform.stock.orders) == (DEVICES, DEVICES)
    assert max(platform.answered.values()) <= PER_MINUTE
    assert len([each for each in platform.refused if each > MINUTE]) < DEVICES / 4
    assert len([each for each in fleet.refusals.values() if each > 1]) < DEVICES / 10
    assert max(fleet.refusals.values()) <= 5
    assert fleet.early == []
    most = sorted(fleet.ended)[DEVICES // 10 : -DEVICES // 10]
    assert most[-1] - most[0] > 5 * MINUTE, "four of five are spread over minutes"
    assert max(fleet.ended) < 2 * query_times.WIDEST


def test_no_two_devices_wait_alike() -> None:
    """A wait is never shorter than the platform asks for, and differs from device to device."""
    waits = [query_times.wait(1, least=600.0, spread=0) for _ in range(100)]
    assert 600.0 <= min(waits) < max(waits) <= 720.0
    assert len(set(waits)) > 90


def test_refusals_for_too_many_calls_widen_the_waits() -> None:
    """Each refusal for too many calls widens the waits, up to an hour, or less after a short Retry-After."""
    assert query_times.wider(0, told=None) == 900.0
    assert query_times.wider(900.0, told=None) == 2700.0
    assert query_times.wider(2700.0, told=60) == 3600.0
    assert [query_times.wider(0, told=told) for told in (0, 5, 60, 86400)] == [30.0, 75.0, 900.0, 900.0]
    waits = [query_times.wait(1, least=60.0, spread=600.0) for _ in range(200)]
    assert 60.0 <= min(waits) < 120.0
    assert 600.0 < max(waits) <= 660.0
