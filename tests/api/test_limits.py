"""The limits for one caller, which protect the daemon and the other callers."""

from __future__ import annotations

import json
import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from engine.lab import CARD
from lpad.api.server.connection import MOST_CONNECTIONS

if TYPE_CHECKING:
    from api.gateway import Gateway

DIGITS = "9" * 5000


def _connect(gateway: Gateway) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(30)
    connection.connect(str(gateway.path))
    return connection


def test_a_user_can_hold_so_many_connections_and_no_more(gateway: Gateway) -> None:
    """Connections beyond the limit get 503 and are closed; once some have ended, new ones are accepted."""
    gateway.http.close()
    with ExitStack() as stack:
        for _ in range(MOST_CONNECTIONS):
            stack.enter_context(_connect(gateway))
        beyond = stack.enter_context(_connect(gateway))
        head, _, body = b"".join(iter(lambda: beyond.recv(4096), b"")).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 503 ")
        problem = json.loads(body)
        assert (problem["status"], problem["kind"], problem["retryable"]) == (
            503,
            "too-many-connections",
            True,
        )
    with _connect(gateway) as again:
        again.sendall(b"GET /v1/system HTTP/1.1\r\nHost: lpad\r\n\r\n")
        assert again.recv(100).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("query", [f"change={DIGITS}", "change=1%0A2"])
def test_numbers_too_long_are_the_callers_mistake(gateway: Gateway, query: str) -> None:
    """A number of thousands of digits, or with a line break, is refused as an invalid value."""
    response = gateway.http.get(f"/v1/events?{query}")
    assert (response.status_code, response.json()["kind"]) == (400, "invalid-value")


@pytest.mark.parametrize("ending", [DIGITS, "1%0Adata: {}", "1%0D%0Aevent: change", "x"])
def test_an_unassigned_event_id_begins_a_new_stream(gateway: Gateway, ending: str) -> None:
    """After an event ID that was never assigned, a stream begins with another ID and reports lost events."""
    gateway.http.post(f"/v1/euiccs/{CARD}/refresh?wait=120")
    with gateway.http.stream("GET", "/v1/events") as response:
        run = next(response.iter_lines()).removeprefix("id: ").partition("-")[0]
    with gateway.http.stream("GET", f"/v1/events?after={run}-{ending}") as response:
        lines = response.iter_lines()
        assert len(next(lines)) < 40
        assert [next(lines) for _ in range(2)] == ["event: listening", "data: {}"]
        assert next(lines) == ""
        next(lines)
        assert next(lines) == "event: lost"


def test_a_mistake_of_lpads_shows_no_secret(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a fault in lpad, the answer names the kind of exception, not its text, which may be secret."""

    def fail(*_: object, **__: object) -> None:
        raise ValueError("SECRET-MATCHING-ID")

    monkeypatch.setattr(gateway.lab.engine, "submit", fail)
    response = gateway.http.post(f"/v1/euiccs/{CARD}/downloads", json={"activation_code": "1$a.b$SECRET"})
    assert (response.status_code, response.json()["kind"]) == (500, "internal-error")
    assert "SECRET" not in response.text
    assert "ValueError" in response.text
