"""Reachability checks with real sockets on the loopback interface."""

from __future__ import annotations

import socket
import threading
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import force_setattr

from lpad.base.deadline import Deadline
from lpad.base.errors import ServerMalformed, ServerUnreachable
from lpad.base.guard_condition import Condition
from lpad.remote import reachability as reach_module
from lpad.remote.reachability import reach
from remote.dead_address import behind_dead_addresses

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def soon() -> Deadline:
    return Deadline.after(30)


def check(text: str, deadline: Deadline | None = None) -> str:
    return reach(Condition.parse(text), deadline=deadline or soon())


@contextmanager
def tcp_server(answer: bytes | None = b"") -> Iterator[int]:
    """Serve connections and answer each with `answer`; with None, keep them open without an answer."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        kept = []

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                if answer is None:
                    kept.append(connection)
                    continue
                with connection:
                    if answer:
                        connection.recv(4096)
                        connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join(30)
            for connection in kept:
                connection.close()


@contextmanager
def name_server(reply: Callable[[bytes], list[bytes]]) -> Iterator[int]:
    """Run a name server that answers each query with the datagrams that `reply` returns; yield its port."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]

        def serve() -> None:
            while True:
                query, peer = server.recvfrom(4096)
                if not query:
                    return
                for datagram in reply(query):
                    server.sendto(datagram, peer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield port
        finally:
            with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as last:
                last.sendto(b"", ("127.0.0.1", port))
            thread.join(30)


def answered(query: bytes, *, code: int = 0, answers: int = 1) -> bytes:
    """Return a name server's answer to a query, with this code and number of answers."""
    return query[:2] + bytes([0x81, 0x80 | code]) + query[4:6] + bytes([0, answers]) + query[8:]


def test_a_connection_that_is_made_is_enough() -> None:
    """A `tcp:` check succeeds once a connection is made."""
    with tcp_server() as port:
        assert check(f"tcp:127.0.0.1:{port}") == "connected"
        assert check(f"tcp:localhost:{port}@lo") == "connected"


def test_a_place_behind_dead_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """If some addresses of a host are dead, a check reaches the host at another one."""
    with tcp_server() as port, behind_dead_addresses("probe.example.com", port, monkeypatch):
        assert check(f"tcp:probe.example.com:{port}") == "connected"


def test_a_closed_port_is_unreachable() -> None:
    """A check of a closed port fails with the reason."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
    with pytest.raises(ServerUnreachable, match="connection refused"):
        check(f"tcp:127.0.0.1:{port}")


def test_an_interface_that_is_not_there_is_reported() -> None:
    """A check over a missing interface fails, although the host can be reached over another one."""
    with tcp_server() as port, pytest.raises(ServerUnreachable, match="no interface wwan77"):
        check(f"tcp:127.0.0.1:{port}@wwan77")


def test_a_check_goes_through_its_interface_or_not_at_all() -> None:
    """A check over an interface cannot reach an address that only another interface reaches."""
    with tcp_server() as port, closing(socket.socket()) as spare:
        spare.connect(("127.0.0.1", port))
        other = next((name for _, name in socket.if_nameindex() if name != "lo"), None)
        if other is None:  # this machine has only loopback
            return
        with pytest.raises(ServerUnreachable):
            check(f"tcp:127.0.0.1:{port}@{other}", Deadline.after(1))


def test_a_name_that_leads_nowhere_is_reported() -> None:
    """A check of a host whose name cannot be resolved fails with an error that names it."""
    with pytest.raises(ServerUnreachable, match="nowhere"):
        check("tcp:nowhere.invalid:80")


@pytest.mark.parametrize(("wanted", "status"), [("", 200), ("", 204), ("#204", 204), ("#302", 302)])
def test_the_status_that_is_wanted(wanted: str, status: int) -> None:
    """An `http:` check accepts any 2xx status, or only the status that the condition names."""
    with tcp_server(f"HTTP/1.1 {status} Whatever\r\n\r\n".encode()) as port:
        assert check(f"http://127.0.0.1:{port}/x{wanted}@lo") == f"HTTP status {status}"


def test_informational_heads_are_not_an_answer() -> None:
    """An `http:` check ignores some informational answers; too many of them are malformed."""
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
    with tcp_server(hints * 3 + b"HTTP/1.1 204 No Content\r\n\r\n") as port:
        assert check(f"http://127.0.0.1:{port}/#204") == "HTTP status 204"
    with tcp_server(hints * 1000) as port, pytest.raises(ServerMalformed, match="informational"):
        check(f"http://127.0.0.1:{port}/")


@pytest.mark.parametrize(
    ("wanted", "answer", "says"),
    [
        ("", b"HTTP/1.1 302 Found\r\nLocation: http://portal/\r\n\r\n", "HTTP status 302"),
        ("#204", b"HTTP/1.1 200 OK\r\n\r\n", "HTTP status 200"),
        ("", b"HTTP/1.1 503 No\r\n\r\n", "HTTP status 503"),
        ("", b"SSH-2.0-OpenSSH_9.6\r\n", "is not HTTP"),
        ("", b"HTTP/1.1 2", "is not HTTP"),
    ],
)
def test_another_status_is_not_the_wanted_answer(wanted: str, answer: bytes, says: str) -> None:
    """An `http:` check fails if the answer has another status, such as a portal's, or is not HTTP."""
    with tcp_server(answer) as port, pytest.raises(ServerMalformed, match=says):
        check(f"http://127.0.0.1:{port}/{wanted}")


def test_a_server_that_never_answers_ends_with_the_deadline() -> None:
    """An `http:` check of a server that never answers ends at the deadline."""
    with tcp_server(None) as port, pytest.raises(ServerUnreachable, match="no answer in time"):
        check(f"http://127.0.0.1:{port}/", Deadline.after(0.3))


def test_a_server_that_is_not_trusted_is_not_reached() -> None:
    """An `https:` check of a server without a trusted TLS certificate fails."""
    with tcp_server(b"HTTP/1.1 200 OK\r\n\r\n") as port, pytest.raises(ServerUnreachable):
        check(f"https://localhost:{port}/")


def test_a_name_server_that_knows_the_name() -> None:
    """A `dns:` check ignores short and forged datagrams, and succeeds with the right answer."""

    def reply(query: bytes) -> list[bytes]:
        forged = bytes([query[0] ^ 0xFF]) + answered(query)[1:]
        return [b"", b"short", forged, answered(query, answers=2)]

    with name_server(reply) as port:
        assert check(f"dns:example.com/127.0.0.1:{port}@lo") == "2 answers"


@pytest.mark.parametrize(
    ("code", "answers", "says"), [(3, 0, "no such name"), (2, 0, "code 2"), (0, 0, "no address")]
)
def test_a_name_server_that_does_not(code: int, answers: int, says: str) -> None:
    """A `dns:` check fails with the reason if the name server gives an error or no address."""
    with (
        name_server(lambda query: [answered(query, code=code, answers=answers)]) as port,
        pytest.raises(ServerMalformed, match=says),
    ):
        check(f"dns:example.com/127.0.0.1:{port}")


def test_a_name_server_that_is_silent_ends_with_the_deadline() -> None:
    """A `dns:` check of a silent name server ends at the deadline."""
    with name_server(lambda _query: []) as port, pytest.raises(ServerUnreachable, match="no answer in time"):
        check(f"dns:example.com/127.0.0.1:{port}", Deadline.after(0.3))


def test_the_system_s_name_servers_are_asked_in_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a server in the condition, a `dns:` check asks those in resolv.conf until one answers."""
    with name_server(lambda query: [answered(query)]) as port:
        resolvers = tmp_path / "resolv.conf"
        resolvers.write_text("# none\nnameserver 127.0.0.2\nnameserver 127.0.0.1\noptions edns0\n")
        monkeypatch.setattr(reach_module, "_RESOLVERS", resolvers)
        condition = Condition.parse("dns:example.com")
        force_setattr(condition, "port", port)
        assert reach(condition, deadline=soon()) == "1 answers"


def test_missing_name_servers_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the system has no name servers, a `dns:` check fails with this reason."""
    monkeypatch.setattr(reach_module, "_RESOLVERS", tmp_path / "none")
    with pytest.raises(ServerUnreachable, match="lists no name server"):
        check("dns:example.com")
