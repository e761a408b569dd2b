"""The event stream, and a stop of the daemon while a client listens."""

from __future__ import annotations

import json
import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from api.gateway import Gateway
from engine.holding import silent
from engine.lab import CARD, LONG
from lpad.api.request.peer import Peer
from lpad.api.request.roles import AccessRules, Holders, Role
from lpad.engine.change.change import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.lab import Lab


@contextmanager
def listening(
    gateway: Gateway, path: str = "/v1/events", **headers: str
) -> Iterator[Iterator[dict[str, Any]]]:
    with gateway.http.stream("GET", path, headers=headers) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        yield parsed(response.iter_lines())


def parsed(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    fields: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif fields:
            yield {**fields, "data": json.loads(fields["data"])}
            fields = {}


def refresh(gateway: Gateway) -> int:
    response = gateway.http.post(f"/v1/euiccs/{CARD}/refresh?wait=120")
    return int(response.json()["id"])


def test_a_change_is_reported_from_beginning_to_end(gateway: Gateway) -> None:
    """A listener sees a change queued, running and done, each event with an ID."""
    with listening(gateway) as events:
        assert next(events)["event"] == "listening"
        number = refresh(gateway)
        states = []
        for event in events:
            if event["event"] == "change":
                assert event["data"]["id"] == number
                states.append(event["data"]["state"])
                if states[-1] == "done":
                    break
    assert states[0] == "queued"
    assert "running" in states


def test_a_stream_can_be_resumed(gateway: Gateway) -> None:
    """With Last-Event-ID, no event is missed or repeated; after an unknown ID, the stream reports `lost`."""
    with listening(gateway) as events:
        start = next(events)["id"]
    number = refresh(gateway)
    with listening(gateway, **{"Last-Event-ID": start}) as events:
        first = [next(events), next(events)]
        assert first[1]["data"] | {"state": "queued"} == first[1]["data"]
        assert first[1]["data"]["id"] == number
    with listening(gateway, f"/v1/events?after={first[1]['id']}") as events:
        next(events)
        assert next(events)["data"]["state"] == "running"
    with listening(gateway, **{"Last-Event-ID": "ffffff-1"}) as events:
        next(events)
        assert next(events)["event"] == "lost"


def test_a_stream_can_be_narrowed(gateway: Gateway) -> None:
    """With a change's number, the stream has only the events of that change."""
    first = refresh(gateway)
    with listening(gateway, f"/v1/events?change={first + 2}&euicc={CARD}") as events:
        next(events)
        refresh(gateway)
        number = refresh(gateway)
        assert next(events)["data"]["id"] == number
    assert gateway.http.get("/v1/events?change=x").status_code == 400


def test_stopping_ends_open_streams_and_waits(gateway: Gateway) -> None:
    """A stopping server ends open streams and answers waiting requests within seconds."""
    order = gateway.lab.order()
    body = {"activation_code": gateway.lab.code(order)}
    answers: list[dict[str, Any]] = []
    with silent(gateway.lab, "authenticateClient") as asked, listening(gateway) as events:
        gateway.http.post(f"/v1/euiccs/{CARD}/downloads", json=body)
        assert asked.acquire(timeout=LONG)
        queued = gateway.http.post(f"/v1/euiccs/{CARD}/refresh").json()
        waiting = threading.Thread(
            target=lambda: answers.append(gateway.http.get(f"/v1/changes/{queued['id']}?wait=600").json())
        )
        told: list[object] = []
        while not any(f"'id': {queued['id']}, " in str(each) for each in told):
            told.append(next(events))
        waiting.start()
        # No answer shows that a request waits, so the test counts the hub's subscriptions.
        gateway.lab.until_true(lambda: len(gateway.lab.engine._hub._subscriptions) >= 2)
        gateway.stop()
        assert list(events) == []
    waiting.join(30)
    assert not waiting.is_alive()
    assert [answer["state"] for answer in answers] == ["queued"]


def test_a_reader_without_its_role_gets_no_more_events(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream ends before the first event that follows the loss of its listener's role."""
    listener = Peer(os.getpid(), os.geteuid() + 1, frozenset())
    monkeypatch.setattr(Peer, "of", lambda _: listener)
    rules = AccessRules({Role.READ: Holders(users=frozenset({listener.uid}))})
    with Gateway(lab, rules=rules) as gateway, listening(gateway) as events:
        heard = lab.carry_out(Kind.REFRESH).id
        assert any(each["data"].get("id") == heard for each in events)
        gateway.app.state.rules = AccessRules()
        unheard = lab.carry_out(Kind.REFRESH).id
        assert unheard not in {each["data"].get("id") for each in events}
        assert gateway.http.get("/v1/events").status_code == 403


@pytest.mark.parametrize("count", [20])
def test_closed_streams_leave_nothing_in_the_hub(gateway: Gateway, count: int) -> None:
    """Closed streams leave no subscriptions in the hub."""
    for _ in range(count):
        with listening(gateway) as events:
            next(events)
    refresh(gateway)
    hub = gateway.lab.engine._hub
    gateway.lab.until(lambda: (refresh(gateway), len(hub._subscriptions))[1], lambda left: left <= 2)
