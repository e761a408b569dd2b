"""Runaway programs put only a limited load on the daemon, and other programs still get answers."""

from __future__ import annotations

import json
import logging
import socket
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from api.gateway import PATIENCE
from engine.holding import held
from engine.lab import CARD, SECOND
from lpad.api.request.peer import Peer
from lpad.api.server import connection
from lpad.api.server.connection import LARGEST_HEAD, MOST_CONNECTIONS
from lpad.card.available_ports import Ports
from lpad.engine.worker.queue.queue_shares import PLACES

if TYPE_CHECKING:
    from api.gateway import Gateway

SYSTEM = b"GET /v1/system HTTP/1.1\r\nHost: lpad\r\n\r\n"


def connect(gateway: Gateway) -> socket.socket:
    made = socket.socket(socket.AF_UNIX)
    made.settimeout(PATIENCE)
    made.connect(str(gateway.path))
    return made


def rest(made: socket.socket) -> bytes:
    """Return the received bytes until the other end closes the connection."""
    return b"".join(iter(lambda: made.recv(65536), b""))


def repeat(made: socket.socket, data: bytes, *, times: int) -> None:
    for _ in range(times):
        made.sendall(data)


def problem(answer: bytes) -> tuple[int, str]:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head
    found = json.loads(body)
    assert int(head.split()[1]) == found["status"]
    return found["status"], found["kind"]


def test_two_hundred_clients_at_the_same_time(gateway: Gateway) -> None:
    """Two hundred clients that are connected at the same time all get an answer."""
    with ExitStack() as stack:
        clients = [stack.enter_context(connect(gateway)) for _ in range(200)]
        for each in clients:
            each.sendall(SYSTEM)
        assert all(each.recv(100).startswith(b"HTTP/1.1 200 ") for each in clients)


@pytest.mark.parametrize(
    "rest_of_it", [b"Content-Length: 5\r\n\r\n{", b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n"]
)
def test_a_client_that_hangs_up_is_not_an_error(
    gateway: Gateway, caplog: pytest.LogCaptureFixture, rest_of_it: bytes
) -> None:
    """A body that ends too early causes no error in the log, and other clients still get answers."""
    with connect(gateway) as made:
        made.sendall(f"POST /v1/euiccs/{CARD}/refresh HTTP/1.1\r\nHost: lpad\r\n".encode() + rest_of_it)
        made.shutdown(socket.SHUT_WR)
        rest(made)
    assert gateway.get("/v1/changes") == {"changes": [], "next": None}
    assert [each for each in caplog.records if each.levelno >= logging.ERROR] == []


def test_an_upgrade_that_is_offered_is_ignored(gateway: Gateway, caplog: pytest.LogCaptureFixture) -> None:
    """A request that offers an upgrade is answered as usual (RFC 9110, 7.8), without advice in the log."""
    for upgrade in (b"websocket", b"h2c"):
        with connect(gateway) as made:
            made.sendall(SYSTEM[:-2] + b"Connection: Upgrade\r\nUpgrade: " + upgrade + b"\r\n\r\n")
            assert made.recv(100).startswith(b"HTTP/1.1 200 ")
    assert [each for each in caplog.records if each.levelno >= logging.WARNING] == []


def test_one_users_connections_are_not_anothers(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """If one user has used up its connections, another user can still connect."""
    real = Peer.of
    with ExitStack() as stack:
        for _ in range(MOST_CONNECTIONS):
            stack.enter_context(connect(gateway)).sendall(b"GET")
        beyond = stack.enter_context(connect(gateway))
        assert problem(rest(beyond)) == (503, "too-many-connections")

        def other(made: socket.socket) -> Peer:
            peer = real(made)
            return Peer(peer.pid, peer.uid + 1, peer.groups | {0})

        monkeypatch.setattr(Peer, "of", other)
        another = stack.enter_context(connect(gateway))
        another.sendall(SYSTEM)
        # That user has no role; the test needs only an answer, not a permitted request.
        assert another.recv(100).startswith(b"HTTP/1.1 403 ")


@pytest.mark.parametrize(
    "begun",
    [b"G", b"GET /v1/system HTTP/1.1\r\nHost: l", b"POST /v1/euiccs HTTP/1.1\r\nHost: lpad\r\nContent-Le"],
)
def test_slow_writers_get_408_and_are_closed(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    """A request that is not complete in time gets 408; meanwhile, other requests get answers."""
    monkeypatch.setattr(connection, "SPEAKING", 0.5)
    with ExitStack() as stack:
        gateway.await_health()
        slow = [stack.enter_context(connect(gateway)) for _ in range(50)]
        for each in slow:
            each.sendall(begun)
        assert gateway.get("/v1/system")["health"]["ok"]
        assert {problem(rest(each)) for each in slow} == {(408, "bad-request")}
    gateway.lab.until_true(lambda: len(gateway.server.server_state.connections) <= 1)


def test_half_open_connections_are_closed(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection on which no request arrives is closed without an answer."""
    monkeypatch.setattr(connection, "SPEAKING", 0.5)
    with ExitStack() as stack:
        mute = [stack.enter_context(connect(gateway)) for _ in range(50)]
        assert [rest(each) for each in mute] == [b""] * 50


def test_a_body_that_stops_in_the_middle(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a body stops in the middle, its handler does not wait forever, and the log reports no fault."""
    monkeypatch.setattr(connection, "SPEAKING", 0.5)
    with connect(gateway) as half:
        half.sendall(
            f"POST /v1/euiccs/{CARD}/refresh HTTP/1.1\r\nHost: l\r\nContent-Length: 9\r\n\r\n{{".encode()
        )
        assert rest(half) == b""
    gateway.lab.until_true(lambda: not gateway.server.server_state.tasks)
    assert gateway.get("/v1/changes")["changes"] == []


def test_an_endless_body(gateway: Gateway) -> None:
    """A body of 100 MB is refused as soon as it is too long, and none of it is kept."""
    size = 100 * 1024 * 1024
    head = f"POST /v1/euiccs/{CARD}/downloads HTTP/1.1\r\nHost: lpad\r\nContent-Length: {size}\r\n\r\n"
    chunk = bytes(1024 * 1024)
    with connect(gateway) as flood:
        flood.sendall(head.encode())
        repeat(flood, chunk, times=size // len(chunk))
        answer = flood.recv(65536)
        assert problem(answer) == (400, "invalid-value")
        # The connection still works, because lpad has read the body and discarded it.
        flood.sendall(SYSTEM)
        assert flood.recv(100).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("one", [b"X-Flood: " + b"a" * 1000 + b"\r\n", b"X: " + b"a" * 1_000_000])
def test_a_flood_of_headers(gateway: Gateway, one: bytes) -> None:
    """If a request's headers are too long, the answer is a problem, and the connection is closed."""
    with connect(gateway) as flood:
        flood.sendall(b"GET /v1/system HTTP/1.1\r\nHost: lpad\r\n")
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            repeat(flood, one, times=10_000)
        assert problem(flood.recv(65536)) == (400, "bad-request")
    assert len(one) * 10_000 > LARGEST_HEAD


def test_an_unread_stream_is_closed(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """For an unread stream, the queue of events is limited, and the connection is finally closed."""
    monkeypatch.setattr(connection, "LISTENING", 0.5)
    hub = gateway.lab.engine._hub
    with connect(gateway) as deaf:
        deaf.sendall(b"GET /v1/events HTTP/1.1\r\nHost: lpad\r\n\r\n")
        assert deaf.recv(12) == b"HTTP/1.1 200"
        gateway.lab.until_true(lambda: len(hub._subscriptions) == 1)
        (subscription,) = hub._subscriptions
        most = 0
        for number in range(20_000):
            hub.publish("progress", {"id": number, "filler": "x" * 1000})
            most = max(most, len(subscription._events))
        assert most <= 256
        gateway.lab.until_true(lambda: not hub._subscriptions)
        gateway.await_health()


def test_a_client_that_reads_no_answers_is_disconnected(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that sends requests and reads no answers is finally disconnected."""
    monkeypatch.setattr(connection, "LISTENING", 0.5)
    with connect(gateway) as deaf:
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            repeat(deaf, b"GET /v1/openapi.json HTTP/1.1\r\nHost: lpad\r\n\r\n", times=100_000)
        gateway.lab.until_true(lambda: not gateway.server.server_state.connections)


def test_reading_never_waits_for_the_card(gateway: Gateway) -> None:
    """During a download, the API answers requests about profiles and the card from the last reading."""
    first = gateway.lab.install()
    order = gateway.lab.order(iccid=SECOND)
    body = {"activation_code": gateway.lab.code(order), "confirm": True}
    change = gateway.http.post(f"/v1/euiccs/{CARD}/downloads?wait=120", json=body).json()
    assert change["state"] == "waiting"
    assert gateway.lab.card.open_channels != ()
    before = gateway.lab.modem.counters
    listed = gateway.get(f"/v1/euiccs/{CARD}/profiles")
    assert [each["iccid"] for each in listed["profiles"]] == [first]
    assert gateway.get(f"/v1/euiccs/{CARD}")["read_at"] == listed["read_at"]
    assert gateway.lab.modem.counters == before
    gateway.http.delete(f"/v1/changes/{change['id']}?wait=120")


def test_a_full_queue_is_429_and_others_are_answered(gateway: Gateway) -> None:
    """A full queue refuses a change with Retry-After, but not a read, a repeated request or a switch."""
    order = gateway.lab.order()
    body = {"activation_code": gateway.lab.code(order), "confirm": True}
    path = f"/v1/euiccs/{CARD}/downloads"
    with held(gateway.lab):
        change = gateway.http.post(path, json=body).json()
        for _ in range(PLACES // 2 - 1):
            assert gateway.http.post(f"/v1/euiccs/{CARD}/refresh").status_code == 202
        full = gateway.http.post(f"/v1/euiccs/{CARD}/refresh")
        assert (full.status_code, full.json()["kind"], full.json()["retryable"]) == (
            429,
            "too-many-changes",
            True,
        )
        assert int(full.headers["retry-after"]) > 0
        again = gateway.http.post(path, json=body)
        assert (again.status_code, again.json()["id"]) == (202, change["id"])
        assert again.headers["idempotent-replayed"] == "true"
        assert gateway.http.post(f"/v1/euiccs/{CARD}/profiles/{SECOND}/disable").status_code == 202
        assert len(gateway.get("/v1/changes")["changes"]) == PLACES // 2 + 2
    gateway.http.delete(f"/v1/changes/{change['id']}?wait=120")


def test_ports_are_listed_once_for_all_who_ask(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hanging pcscd occupies one thread, however many clients ask; other requests still get a thread."""
    go_on = threading.Event()
    calls: list[None] = []

    def hang() -> Ports:
        calls.append(None)
        go_on.wait()
        return Ports(serial=(), readers=(), no_readers="pcscd hung")

    monkeypatch.setattr(gateway.lab.engine, "ports", hang)
    with ExitStack() as stack:
        asking = [stack.enter_context(connect(gateway)) for _ in range(50)]
        for each in asking:
            each.sendall(b"GET /v1/ports HTTP/1.1\r\nHost: lpad\r\n\r\n")
        gateway.lab.until_true(lambda: len(gateway.server.server_state.tasks) >= 50)
        assert gateway.get("/v1/changes")["changes"] == []
        go_on.set()
        assert all(each.recv(100).startswith(b"HTTP/1.1 200 ") for each in asking)
    assert len(calls) == 1
