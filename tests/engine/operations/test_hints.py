"""Hints: another request for an open wish makes lpad query the platform, at most once a minute."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from api.gateway import Gateway
from engine.lab import CARD
from engine.operations.platform_lab import PLATFORM, PlatformLab
from lpad.base.backoff import Backoff
from lpad.engine.change.change import State
from lpad.engine.provisioning import platform_query_limit, query_times
from lpad.simulator.platform.faults import PlatformFault

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lpad.engine.change.change import Change
    from lpad.simulator.pki.pki import Pki


@pytest.fixture
def lab(tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch) -> Iterator[PlatformLab]:
    """Yield a lab with a platform that never has the profile ready, and planned queries an hour apart."""
    monkeypatch.setattr(query_times, "BACKOFF", Backoff((3600.0,)))
    with PlatformLab(tmp_path, pki, like="desk") as made:
        made.platform.faults.add(PlatformFault.NEVER_AVAILABLE, call="order")
        yield made


def seconds_left(change: Change) -> float:
    assert change.pause is not None
    assert change.pause.retry_at is not None
    return (change.pause.retry_at - datetime.now(UTC)).total_seconds()


def waiting(lab: PlatformLab) -> Change:
    """Return the change of a wish that waits for its platform."""
    change = lab.asked_or_paused(lab.provision().id)
    assert seconds_left(change) > 2000
    return change


def test_a_second_hint_within_the_minute_waits(lab: PlatformLab) -> None:
    """The answer to a second hint within the minute has the unchanged change and the time of the query."""
    first = waiting(lab)
    looks = lab.platform.calls["look"]
    again = lab.provision()
    assert again.id == first.id
    assert 0 < seconds_left(again) <= platform_query_limit.EVERY
    for _ in range(20):
        assert lab.provision().pause == again.pause
    assert lab.platform.calls["look"] == looks


def test_a_hint_leads_to_a_look(lab: PlatformLab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several hints lead to one query, once enough time has passed; then lpad follows its plan again."""
    monkeypatch.setattr(platform_query_limit, "EVERY", 2.0)
    first = waiting(lab)
    looks = lab.platform.calls["look"]
    for _ in range(5):
        lab.provision()
    lab.until_true(lambda: lab.platform.calls["look"] == looks + 1)
    change = lab.until(lambda: lab.engine.change(first.id), lambda seen: seen.pause is not None)
    assert seconds_left(change) > 2000
    assert lab.platform.calls["look"] == looks + 1
    assert lab.platform.orders == 1


def test_a_new_change_for_a_known_wish_is_a_hint(lab: PlatformLab) -> None:
    """A new change for an open wish causes no further query, and does not delay the planned one."""
    lab.platform.faults.add(PlatformFault.STATUS, call="release", times=0, value="409")
    first = waiting(lab)
    looks = lab.platform.calls["look"]
    lab.engine.cancel(first.id)
    assert lab.ended(first.id).state is State.CANCELLED
    looks = lab.platform.calls["look"]
    second = lab.asked_or_paused(lab.provision().id)
    assert second.id != first.id
    assert 0 < seconds_left(second) <= platform_query_limit.EVERY
    assert second.pause is not None
    assert "has queried" in second.pause.error.sentence
    assert lab.platform.calls["look"] == looks
    assert lab.platform.orders == 1


def test_the_limit_holds_for_the_api(lab: PlatformLab) -> None:
    """The limit also applies to requests over the API; a repetition with an idempotency key is not a hint."""
    first = waiting(lab)
    body = {"platform": PLATFORM}
    with Gateway(lab) as gateway:
        path = f"/v1/euiccs/{CARD}/provision"
        looks = lab.platform.calls["look"]
        pauses = set()
        for number in range(5):
            headers = {"Idempotency-Key": f"command-{number // 2}"}
            answer = gateway.http.post(path, json=body, headers=headers)
            assert (answer.status_code, answer.json()["id"]) == (202, first.id)
            pauses.add(answer.json()["pause"]["retry_at"])
        assert len(pauses) == 1
        assert lab.platform.calls["look"] == looks


def test_a_hint_ends_no_other_wait(lab: PlatformLab) -> None:
    """A hint does not end lpad's wait after an error: a busy platform is not queried earlier."""
    lab.platform.faults.add(PlatformFault.BUSY, call="look", times=0)
    change = lab.asked_or_paused(lab.provision().id)
    left = seconds_left(change)
    assert left > 2000
    assert lab.provision().pause == change.pause
