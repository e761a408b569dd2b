"""Silent and slow servers: lpad's waits have limits, and can be cancelled."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

import pytest

from lpad.base.cancellation import Cancellation
from lpad.base.deadline import Deadline
from lpad.base.errors import Cancelled, ServerMalformed, ServerUnreachable
from lpad.base.server_address import ServerAddress
from lpad.remote.es9plus import Es9Plus
from lpad.remote.https.host_overrides import HostOverrides
from lpad.remote.https.proxy_and_interface import Proxy, Route
from lpad.remote.https.request_limits import Limits
from remote.bench import NAME
from remote.dead_address import mute, swallowing
from remote.scripted_server import Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lpad.remote.trust.trust_anchors import Trust
    from remote.bench import Bench
    from remote.scripted_server import ScriptedServer

SHORT = Limits(silence=0.4, request=1.2)
LONG = Limits(silence=60, request=60)
LARGE = bytes(16 << 20)
"""More bytes than the buffers of sockets hold."""


def notify(client: Es9Plus, *, deadline: Deadline | None = None, payload: bytes = b"\x30\x00") -> None:
    client.handle_notification(pending_notification=payload, deadline=deadline or Deadline.after(60))


@contextmanager
def behaving(server: ScriptedServer, act: Callable[[socket.socket, threading.Event], None]) -> Iterator[None]:
    """Have a server call `act` after each TLS handshake; `over` is set when the block ends."""
    over = threading.Event()

    def below_tls(connection: socket.socket) -> None:
        with suppress(OSError), server.context.wrap_socket(connection, server_side=True) as secured:
            act(secured, over)

    server.below_tls = below_tls
    try:
        yield
    finally:
        over.set()


def reads_nothing(_: socket.socket, over: threading.Event) -> None:
    over.wait(60)


def says_nothing(connection: socket.socket, over: threading.Event) -> None:
    connection.recv(65536)
    over.wait(60)


def half_a_head(connection: socket.socket, over: threading.Event) -> None:
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Le")
    over.wait(60)


def half_a_body(connection: socket.socket, over: threading.Event) -> None:
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
    over.wait(60)


SILENT = [says_nothing, half_a_head, half_a_body]


@pytest.mark.parametrize("act", SILENT)
def test_silence_ends_a_request(bench: Bench, act: Callable[[socket.socket, threading.Event], None]) -> None:
    """If a server becomes silent, in whatever part of its answer, lpad ends the request early."""
    server = bench.server(Reply(204))
    deadline = Deadline.after(60)
    with behaving(server, act), pytest.raises(ServerUnreachable, match="silent for") as caught:
        notify(bench.client(server, limits=SHORT), deadline=deadline)
    assert caught.value.retryable
    assert not deadline.passed


def test_a_server_that_takes_nothing(bench: Bench) -> None:
    """A server that does not read the request counts as silent."""
    server = bench.server(Reply(204))
    with behaving(server, reads_nothing), pytest.raises(ServerUnreachable, match="silent for"):
        notify(bench.client(server, limits=SHORT), payload=LARGE)


def test_slowness_ends_a_request(bench: Bench) -> None:
    """An answer that arrives byte by byte ends at the time limit for a request."""
    server = bench.server(Reply(204))

    def drip(connection: socket.socket, over: threading.Event) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while not over.wait(0.05):
            connection.sendall(b" ")

    deadline = Deadline.after(60)
    with behaving(server, drip), pytest.raises(ServerUnreachable, match="in time"):
        notify(bench.client(server, limits=SHORT), deadline=deadline)
    assert not deadline.passed


def test_a_slow_answer_within_the_limits_arrives(bench: Bench) -> None:
    """A slow answer arrives if each of its pauses is shorter than the limit for silence."""
    server = bench.server(Reply(204))

    def slowly(connection: socket.socket, over: threading.Event) -> None:
        connection.recv(65536)
        for byte in b"HTTP/1.1 204 No Content\r\n\r\n":
            connection.sendall(bytes([byte]))
            over.wait(0.03)

    with behaving(server, slowly):
        notify(bench.client(server, limits=Limits(silence=0.5, request=60)))


def test_informational_heads_without_end(bench: Bench) -> None:
    """Too many informational heads are malformed, even if they arrive slowly."""
    server = bench.server(Reply(204))

    def hints(connection: socket.socket, over: threading.Event) -> None:
        connection.recv(65536)
        while not over.wait(0.01):
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")

    with behaving(server, hints), pytest.raises(ServerMalformed, match="informational"):
        notify(bench.client(server, limits=LONG))


def test_mute_before_tls(trust: Trust) -> None:
    """If a server accepts the connection and is silent in the handshake, lpad ends the request."""
    with mute("127.0.0.1") as port, pytest.raises(ServerUnreachable, match="silent for"):
        notify(_client(trust, port, SHORT))


def test_a_silent_proxy(trust: Trust) -> None:
    """If a proxy is silent, the error names the proxy."""
    with mute("127.0.0.1") as port, pytest.raises(ServerUnreachable, match=r"the proxy .* was silent for"):
        notify(_client(trust, 1, SHORT, proxy=port))


def test_a_silent_proxy_can_be_left(trust: Trust) -> None:
    """The wait for a silent proxy can be cancelled."""
    with mute("127.0.0.1") as port:
        _check_cancelled(_client(trust, 1, LONG, proxy=port))


@pytest.mark.parametrize("place", [mute, swallowing])
def test_cancelled_before_there_is_a_connection(trust: Trust, place: Callable[[str], Iterator[int]]) -> None:
    """A request can be cancelled in the TLS handshake, and while the connection is being made."""
    with place("127.0.0.1") as port:  # type: ignore[attr-defined]
        _check_cancelled(_client(trust, port, LONG))


@pytest.mark.parametrize("act", SILENT)
def test_cancelled_while_an_answer_is_awaited(
    bench: Bench, act: Callable[[socket.socket, threading.Event], None]
) -> None:
    """A request can be cancelled while any part of the answer is missing."""
    server = bench.server(Reply(204))
    with behaving(server, act):
        _check_cancelled(bench.client(server, limits=LONG))


def test_cancelled_while_sending(bench: Bench) -> None:
    """A request can be cancelled while it is sent to a server that does not read."""
    server = bench.server(Reply(204))
    with behaving(server, reads_nothing):
        _check_cancelled(bench.client(server, limits=LONG), payload=LARGE)


def test_cancelled_while_answers_pour_in(bench: Bench) -> None:
    """A request can be cancelled while an endless body arrives without pauses."""
    server = bench.server(Reply(204))

    def pour(connection: socket.socket, over: threading.Event) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not over.wait(0.001):
            connection.sendall(b"1\r\n \r\n")

    with behaving(server, pour):
        _check_cancelled(bench.client(server, limits=LONG))


def test_cancelled_while_trust_is_checked(trust: Trust) -> None:
    """A check of trust can be cancelled during the handshake."""
    with mute("127.0.0.1") as port:
        client = _client(trust, port, LONG)
        cancellation = Cancellation()
        threading.Timer(0.2, partial(cancellation.cancel, "enough")).start()
        with pytest.raises(Cancelled, match="enough"):
            client.check_trust(deadline=Deadline.after(60, cancellation=cancellation))


def test_the_next_request_is_not_disturbed(bench: Bench) -> None:
    """After a cancelled request, the client's next request works."""
    server = bench.server(Reply(204))
    client = bench.client(server, limits=LONG)
    notify(client)
    with behaving(server, half_a_body):
        client.close()
        _check_cancelled(client)
    server.below_tls = None
    notify(client)


def test_another_address_has_its_turn_after_a_silent_one(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If an address is silent in the handshake, lpad soon tries the server's next address."""
    monkeypatch.setattr("lpad.remote.https.timed_stream._HANDSHAKE_WITH_OTHERS", 0.3)
    server = bench.server(Reply(204))
    original = socket.getaddrinfo

    def two(host: str, port: int, **how: int) -> list[object]:
        if host != NAME:
            return list(original(host, port, **how))
        return [*original("127.0.0.2", server.port, **how), *original("127.0.0.1", server.port, **how)]

    monkeypatch.setattr("lpad.remote.sockets.name_resolution.socket.getaddrinfo", two)
    with mute("127.0.0.2", server.port):
        address = ServerAddress.parse(NAME)
        with Es9Plus(address, trust=bench.trust, limits=Limits(silence=60, request=60)) as client:
            notify(client)
            assert client.connects == 2
    assert len(server.seen) == 1


def _client(trust: Trust, port: int, limits: Limits, *, proxy: int | None = None) -> Es9Plus:
    route = Route(
        HostOverrides.parse({NAME: f"127.0.0.1:{port}"}),
        proxy=None if proxy is None else Proxy.parse(f"http://127.0.0.1:{proxy}"),
    )
    return Es9Plus(ServerAddress.parse(NAME), trust=trust, route=route, limits=limits)


def _check_cancelled(client: Es9Plus, *, payload: bytes = b"\x30\x00") -> None:
    cancellation = Cancellation()
    deadline = Deadline.after(60, cancellation=cancellation)
    threading.Timer(0.2, partial(cancellation.cancel, "enough")).start()
    with pytest.raises(Cancelled, match="enough"):
        notify(client, deadline=deadline, payload=payload)
    assert deadline.remaining() > 50
