"""The head of an HTTP answer, which lpad limits and tidies before the HTTP library reads it."""

from __future__ import annotations

import pytest

from lpad.base.errors import MalformedError
from lpad.remote.https.answer_head_filter import AnswerHead
from lpad.remote.https.request_limits import LARGEST_HEAD, MOST_INFORMATIONAL

OK = b"HTTP/1.1 200 OK\r\n"


def tidied(raw: bytes, *, portion: int | None = None) -> bytes:
    head = AnswerHead()
    size = portion or len(raw)
    return b"".join(head.feed(raw[at : at + size]) for at in range(0, len(raw), size))


@pytest.mark.parametrize(
    ("lines", "read"),
    [
        (b"Content-Length: 2\r\n", b"Content-Length: 2\r\n"),
        (b"Content-Length : 2\r\n", b"Content-Length: 2\r\n"),
        (b"Content-Length\t:2\r\n", b"Content-Length: 2\r\n"),
        (b" Content-Length: 2\r\n", b"Content-Length: 2\r\n"),
        (b"X: 1\r\n Content-Length: 2\r\n", b"X: 1\r\nContent-Length: 2\r\n"),
        (b"X: 1\r\n\t2\r\n", b"X: 1 2\r\n"),
        (b"X Odd Name: 1\r\nY: 2\r\n", b"Y: 2\r\n"),
        (b"X Odd Name: 1\r\n more\r\nY: 2\r\n", b"Y: 2\r\n"),
        (b"no colon\r\nY: 2\r\n", b"Y: 2\r\n"),
        (b": 1\r\nY: 2\r\n", b"Y: 2\r\n"),
        (b"X: a\x00b\r\nY: 2\r\n", b"Y: 2\r\n"),
        (b"X: caf\xe9\r\n", b"X: caf\xe9\r\n"),
        (b"Transfer-Encoding: identity\r\nContent-Length: 2\r\n", b"Content-Length: 2\r\n"),
        (b"Transfer-Encoding: Identity , Chunked\r\n", b"Transfer-Encoding: chunked\r\n"),
        (b"", b""),
    ],
)
def test_fields_are_tidied(lines: bytes, read: bytes) -> None:
    """Blanks around field names, lines that are not fields, and the coding `identity` are removed."""
    assert tidied(OK + lines + b"\r\n{}") == OK + read + b"\r\n{}"


@pytest.mark.parametrize("portion", [1, 2, 3, 7])
@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
def test_a_head_in_portions(portion: int, end: bytes) -> None:
    """However an answer is divided, the same head is passed on, without informational heads."""
    raw = end.join([b"HTTP/1.1 103 Early Hints", b"Link: </x>", b"", b"HTTP/1.1 200 OK", b"Y: 2", b"", b"{}"])
    assert tidied(raw, portion=portion) == OK + b"Y: 2\r\n\r\n{}"


def test_bytes_behind_the_head_are_left_alone() -> None:
    """A body is passed on unchanged, even if it looks like a head or is larger than any head."""
    head = AnswerHead()
    body = OK + b"\r\n" * LARGEST_HEAD
    assert head.feed(OK + b"\r\n" + body).endswith(b"\r\n\r\n" + body)
    assert head.feed(body) == body


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n{}",
        b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
)
def test_a_204_with_a_body(raw: bytes) -> None:
    """Bytes after the head of a 204 answer are dropped, and the connection is to be closed."""
    assert tidied(raw) == b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"


def test_a_204_keeps_its_connection() -> None:
    """A 204 answer without a body keeps its connection."""
    assert b"close" not in tidied(b"HTTP/1.1 204 No Content\r\n\r\n")
    assert b"close" not in tidied(b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n")


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"220 mail.example.com ESMTP", "does not begin like HTTP"),
        (b"S", "does not begin like HTTP"),
        (b"HTTP/2 200 OK\r\n\r\n", "first line"),
        (b"HTTP/1.1 2000 OK\r\n\r\n", "first line"),
        (OK + b"X: " + b"a" * LARGEST_HEAD, "larger than 64 KiB"),
        (b"\r\n" * LARGEST_HEAD, "larger than 64 KiB"),
        (OK + b"X: 1\r\n" * (LARGEST_HEAD // 6), "larger than 64 KiB"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * (MOST_INFORMATIONAL + 1), "informational responses"),
        (OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n", "coding 'gzip, chunked'"),
        (OK + b"Content-Length: 1\x002\r\n\r\n", "control characters"),
        (OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", "it has two that differ"),
        (OK + b"Content-Length: -1\r\n\r\n", "not a number"),
        (OK + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n", "not a number"),
    ],
)
@pytest.mark.parametrize("portion", [None, 1000])
def test_an_invalid_head_is_refused(raw: bytes, says: str, portion: int | None) -> None:
    """An invalid head is malformed, and the sentence states the reason."""
    with pytest.raises(MalformedError, match=says):
        tidied(raw, portion=portion)


def test_informational_heads_up_to_the_limit() -> None:
    """Up to MOST_INFORMATIONAL informational heads are skipped, and do not count for the head's size."""
    filler = b"HTTP/1.1 103 Early Hints\r\nX: " + b"a" * 10_000 + b"\r\n\r\n"
    assert tidied(filler * MOST_INFORMATIONAL + OK + b"\r\n") == OK + b"\r\n"


def test_half_a_head_is_passed_on() -> None:
    """An incomplete head is passed on at the end, so that it differs from a missing one."""
    head = AnswerHead()
    assert head.feed(b"HTTP/1.1 2") == b""
    assert head.rest() == b"HTTP/1.1 2"
    assert head.rest() == b""
