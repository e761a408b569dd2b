"""Unusual answers of servers, which lpad reads like a browser or refuses with a clear reason."""

from __future__ import annotations

import gzip
import zlib

import pytest

from lpad.base.errors import ServerMalformed, ServerRefused, ServerUnreachable
from remote.bench import NAME, Bench
from remote.scripted_server import SUCCESS, Reply, Seen
from remote.test_es9plus import INITIATED, initiate, notify, soon, success


def answer(head: bytes, body: bytes = INITIATED) -> Reply:
    return Reply(raw=b"HTTP/1.1 200 OK\r\n" + head % len(body) + b"\r\n" + body)


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(INITIATED, mtime=0)),
        ("x-gzip", gzip.compress(INITIATED, mtime=0)),
        ("deflate", zlib.compress(INITIATED)),
    ],
)
def test_an_unrequested_compression(bench: Bench, coding: str, body: bytes) -> None:
    """An answer with an unrequested compression is unpacked."""
    assert initiate(bench.client(bench.server(Reply(200, body, {"Content-Encoding": coding})))) == "aBcD"


def test_an_unknown_compression_is_named(bench: Bench) -> None:
    """An answer with an unknown compression is malformed, and the error says that it is compressed."""
    client = bench.client(bench.server(Reply(200, b"\x0b\x02", {"Content-Encoding": "br"})))
    with pytest.raises(ServerMalformed, match="compressed"):
        initiate(client)


def test_an_error_page_that_is_packed(bench: Bench) -> None:
    """If an error page has an unknown compression, its HTTP status counts."""
    client = bench.client(bench.server(Reply(404, b"\x0b\x02", {"Content-Encoding": "br"})))
    with pytest.raises(ServerUnreachable, match="404"):
        initiate(client)


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length : %d\r\n",
        b" Content-Length: %d\r\n",
        b"X Odd Name: 1\r\nContent-Length: %d\r\n",
        b"no field at all\r\nContent-Length: %d\r\n",
        b"X-Server: caf\xe9\r\nContent-Length:%d\r\n",
        b"Content-Length: %d\r\nTransfer-Encoding: identity\r\n",
    ],
)
def test_heads_that_every_browser_reads(bench: Bench, head: bytes) -> None:
    """A head that breaks RFC 9112 but has a clear meaning is read, and the connection is kept."""
    client = bench.client(bench.server(answer(head)))
    assert initiate(client) == initiate(client) == "aBcD"
    assert client.connects == 1


def test_an_unrequested_transfer_coding_is_named(bench: Bench) -> None:
    """An answer with an unrequested transfer coding is malformed, and the error names the coding."""
    client = bench.client(bench.server(answer(b"Transfer-Encoding: gzip, chunked\r\nX: %d\r\n")))
    with pytest.raises(ServerMalformed, match="gzip, chunked"):
        initiate(client)


def test_informational_heads_come_first(bench: Bench) -> None:
    """Interim answers before the answer are ignored."""
    hints = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(INITIATED)
    assert initiate(bench.client(bench.server(Reply(raw=hints + head + INITIATED)))) == "aBcD"


@pytest.mark.parametrize("length", [b"Content-Length: 2\r\n", b""])
def test_a_204_with_a_body(bench: Bench, length: bytes) -> None:
    """A 204 answer with a body is an acceptance, and the body is not taken for the next answer."""
    raw = b"HTTP/1.1 204 No Content\r\n" + length + b"\r\n{}"
    server = bench.server(Reply(raw=raw))
    client = bench.client(server)
    for _ in range(3):
        notify(client)
    assert len(server.seen) == 3


def test_cookies_last_for_a_session(bench: Bench) -> None:
    """Cookies are returned within a session, and a new client starts without them."""

    def with_cookies(seen: Seen) -> Reply:
        function = seen.path.rpartition("/")[2]
        headers = {"Set-Cookie": f"{function}=1; Path=/; Secure; HttpOnly"}
        return Reply(200, INITIATED if function == "initiateAuthentication" else SUCCESS, headers)

    server = bench.server(with_cookies)
    client = bench.client(server)
    initiate(client)
    client.cancel_session(transaction_id="01", cancel_session_response=b"\xbf\x41\x00", deadline=soon())
    client.close()
    notify(client)
    initiate(bench.client(server))
    assert [seen.headers.get("Cookie") for seen in server.seen] == [
        None,
        "initiateAuthentication=1",
        "initiateAuthentication=1; cancelSession=1",
        None,
    ]


@pytest.mark.parametrize("status", [307, 308])
def test_the_same_request_elsewhere_on_the_same_server(bench: Bench, status: int) -> None:
    """A request that is redirected to the same server is repeated with its body over the connection."""

    def moved(seen: Seen) -> Reply:
        if seen.path.startswith("/moved"):
            return Reply(200, INITIATED)
        return Reply(status, b"", {"Location": f"https://{NAME}/moved?from=1"})

    server = bench.server(moved)
    assert initiate(bench.client(server)) == "aBcD"
    assert [seen.path for seen in server.seen] == [
        "/gsma/rsp2/es9plus/initiateAuthentication",
        "/moved?from=1",
    ]
    assert server.seen[0].fields == server.seen[1].fields
    assert server.connects == 1


def test_redirections_without_end(bench: Bench) -> None:
    """After fewer than ten redirections, a request ends with an error."""
    server = bench.server(Reply(307, b"", {"Location": "/again"}))
    with pytest.raises(ServerUnreachable, match="redirects"):
        initiate(bench.client(server))
    assert len(server.seen) < 10


@pytest.mark.parametrize(
    "body",
    [
        INITIATED[:-1] + b',"transactionId":"FFFF"}',
        b'{"header":{"functionExecutionStatus":{"status":"Failed","status":"Executed-Success"}},"transactionId":"01"}',
    ],
)
def test_a_field_that_comes_twice(bench: Bench, body: bytes) -> None:
    """An answer in which a field occurs twice is malformed, because JSON parsers disagree on its value."""
    with pytest.raises(ServerMalformed, match="twice"):
        initiate(bench.client(bench.server(Reply(200, body))))


def test_a_number_of_a_million_digits(bench: Bench) -> None:
    """A number of 100,000 digits in an unused field does not hinder the reading of an answer."""
    body = success(transactionId="aBcD", odd=0).replace(b'"odd": 0', b'"odd": ' + b"9" * 100_000)
    assert b"999" in body
    with pytest.raises(ServerMalformed, match="lacks the text"):
        initiate(bench.client(bench.server(Reply(200, body))))


@pytest.mark.parametrize("length", [b"300000", b"9" * 20])
def test_a_length_beyond_all_reason_is_not_read(bench: Bench, length: bytes) -> None:
    """An answer whose announced length is too large is malformed, and its body is not read."""
    client = bench.client(
        bench.server(Reply(raw=b"HTTP/1.1 200 OK\r\nContent-Length: " + length + b"\r\n\r\n"))
    )
    with pytest.raises(ServerMalformed, match="larger than"):
        initiate(client)


def test_half_read_connections_are_not_used_again(bench: Bench) -> None:
    """After an answer with more bytes than announced, the next request opens a new connection."""
    replies = iter([Reply(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{}more"), Reply(204)])
    client = bench.client(bench.server(lambda _: next(replies)))
    with pytest.raises(ServerMalformed):
        notify(client)
    notify(client)
    assert client.connects == 2


def test_a_refusal_by_redirected_request_is_one(bench: Bench) -> None:
    """The refusal of a redirected request raises ServerRefused."""

    def moved(seen: Seen) -> Reply:
        if seen.path == "/moved":
            return Reply(200, SUCCESS.replace(b"Executed-Success", b"Failed"))
        return Reply(307, b"", {"Location": "/moved"})

    with pytest.raises(ServerRefused):
        notify(bench.client(bench.server(moved)))
