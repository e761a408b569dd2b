"""The client's connection repeats a request if that is safe, and keeps its time limit in any case."""

from __future__ import annotations

import socket
import threading
from contextlib import closing, suppress
from typing import TYPE_CHECKING

import pytest

from lpad.client import ApiError, Client, DaemonUnreachable
from lpad.client.http_socket import ConnectionBrokenError, HttpSocket, NoAnswerError, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Serve = Callable[[Callable[[int, bytes], bytes]], "Server"]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s"
CARDS = b'{"euiccs":[]}'
GET = Request(method="GET", target="/v1/euiccs", headers={})


class Last(bytes):
    """Bytes after which the server closes the connection."""


class Server:
    """Passes each request, with its number, to a function of the test, and sends the result."""

    def __init__(self, path: Path, answer: Callable[[int, bytes], bytes]) -> None:
        self.requests: list[bytes] = []
        self.connections = 0
        self._answer = answer
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(path))
        self._listening.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):  # The client may close the connection at any time.
            while request := connection.recv(65536):
                self.requests.append(request)
                answer = self._answer(len(self.requests), request)
                connection.sendall(answer)
                if isinstance(answer, Last):
                    return


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    servers: list[Server] = []

    def start(answer: Callable[[int, bytes], bytes]) -> Server:
        servers.append(Server(tmp_path / "lpad.sock", answer))
        return servers[-1]

    yield start
    for each in servers:
        each.close()


def client(tmp_path: Path) -> Client:
    return Client(str(tmp_path / "lpad.sock"))


def test_requests_share_a_connection(tmp_path: Path, serve: Serve) -> None:
    """A second request uses the connection of the first."""
    server = serve(lambda _number, _request: OK % (len(CARDS), CARDS))
    with client(tmp_path) as lpad:
        assert lpad.euiccs() == []
        assert lpad.euiccs() == []
    assert server.connections == 1
    assert server.requests[0].startswith(b"GET /v1/euiccs HTTP/1.1\r\nHost: lpad\r\n")


def test_an_answer_may_come_in_chunks(tmp_path: Path, serve: Serve) -> None:
    """A chunked answer is read, even after an informational one; the connection serves the next request."""
    chunked = b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    server = serve(lambda _number, _request: chunked + b'5\r\n{"eui\r\n8\r\nccs":[]}\r\n0\r\n\r\n')
    with client(tmp_path) as lpad:
        assert lpad.euiccs() == []
        assert lpad.euiccs() == []
    assert server.connections == 1


def test_a_connection_that_the_daemon_closed_is_replaced(tmp_path: Path, serve: Serve) -> None:
    """A connection that the daemon has closed is replaced, without a repeated request."""
    closing = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(CARDS), CARDS)
    server = serve(lambda _number, _request: Last(closing))
    with client(tmp_path) as lpad:
        assert lpad.euiccs() == []
        assert lpad.euiccs() == []
    assert (server.connections, len(server.requests)) == (2, 2)


@pytest.mark.parametrize("lost", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{", b"no HTTP\r\n\r\n"])
def test_a_lost_answer_is_asked_for_again(tmp_path: Path, serve: Serve, lost: bytes) -> None:
    """If an answer is lost, the client repeats even a request for a change, whose key makes this harmless."""

    def answer(number: int, _request: bytes) -> bytes:
        return Last(lost) if number == 1 else b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"

    server = serve(answer)
    with client(tmp_path) as lpad, pytest.raises(ApiError, match="404"):
        lpad.refresh("modem")
    first, second = server.requests
    assert first == second
    assert b"Idempotency-Key: " in first


def test_a_request_without_a_key_is_sent_once(tmp_path: Path, serve: Serve) -> None:
    """A request without a key is not repeated, because it may have been carried out."""
    server = serve(lambda _number, _request: Last())
    with client(tmp_path) as lpad, pytest.raises(DaemonUnreachable, match="closed"):
        lpad.clear_network("modem", "8900101000000000017")
    assert len(server.requests) == 1


def test_a_silent_daemon_costs_the_patience(tmp_path: Path, serve: Serve) -> None:
    """The client's wait is limited, whether the daemon sends nothing or stops within an answer."""
    serve(lambda number, _request: b"" if number == 1 else b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{")
    path = str(tmp_path / "lpad.sock")
    with closing(HttpSocket(path, patience=5)) as http, pytest.raises(NoAnswerError):
        http.send(GET, patience=0.05)
    with closing(HttpSocket(path, patience=5)) as http:
        assert http.send(GET, patience=5) == 200
        with pytest.raises(NoAnswerError):
            list(http.body(patience=0.05))


def test_a_head_has_a_limit(tmp_path: Path, serve: Serve) -> None:
    """An answer with an endless head is refused."""
    serve(lambda _number, _request: b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 50_000)
    path = str(tmp_path / "lpad.sock")
    with closing(HttpSocket(path, patience=5)) as http, pytest.raises(ConnectionBrokenError):
        http.send(GET, patience=5)


def test_a_refusal_before_the_body_was_read_is_heard(tmp_path: Path) -> None:
    """If the daemon answers and closes before it has read the whole body, the client reads the answer."""
    path = tmp_path / "lpad.sock"
    problem = b'{"kind":"too-large","detail":"the body is too large"}'

    def refuse() -> None:
        connection, _ = listening.accept()
        with connection:
            connection.recv(1024)
            head = b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
            connection.sendall(head % len(problem) + problem)

    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        thread = threading.Thread(target=refuse)
        thread.start()
        with Client(str(path)) as lpad, pytest.raises(ApiError, match="the body is too large"):
            lpad.rename("modem", "8900101000000000017", "n" * 1_000_000)
        thread.join(10)
