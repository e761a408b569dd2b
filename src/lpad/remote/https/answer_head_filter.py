"""The head of an answer before the HTTP library reads it: limited in size, and cleaned up as browsers do.

Servers and proxies send heads that RFC 9112 forbids and every browser accepts. Meaningless parts are omitted
here; anything that would change the body's length or bytes is refused with an error that names it.
"""

from __future__ import annotations

import re

from lpad.base.errors import MalformedError
from lpad.base.lazy_pattern import LazyPattern
from lpad.base.untrusted_number import matched_number
from lpad.remote.https.request_limits import LARGEST_HEAD, MOST_INFORMATIONAL

_END = re.compile(rb"\n\r?\n")
_STATUS_LINE = LazyPattern(rb"(HTTP/[0-9]\.[0-9])[ \t]+([0-9]{3})(?:[ \t]+(.*))?")
_BEGIN = b"HTTP/"
_TOKEN = LazyPattern(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_LENGTH = LazyPattern(rb"[0-9]{1,20}")
_CONTROL = LazyPattern(rb"[\x00-\x08\x0a-\x1f\x7f]")
_FRAMING = frozenset({b"content-length", b"transfer-encoding"})
_READ = _FRAMING | {b"connection", b"content-encoding", b"content-type", b"location", b"set-cookie"}
"""The fields that lpad needs; a line with one of these names is recognized even after leading spaces."""
_WITHOUT_BODY = frozenset({204, 304})
_SWITCHING_PROTOCOLS = 101


class AnswerHead:
    """Receives the bytes of one answer, and returns the bytes that the HTTP library may read."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._searched = 0
        self._informational = 0
        self._blank = 0
        self._complete = False

    def feed(self, received: bytes) -> bytes:
        """Return the bytes that may be read so far; empty while the head is incomplete.

        Raises:
            MalformedError: not HTTP, an endless head, an ambiguous length, or an unknown transfer coding.
        """
        if self._complete:
            return received
        self._held += received
        while True:
            blank = len(self._held) - len(self._held.lstrip(b"\r\n"))
            self._blank += blank
            del self._held[:blank]
            self._check_begin()
            end = _END.search(self._held, max(0, self._searched - 2))
            if self._blank + (len(self._held) if end is None else end.end()) > LARGEST_HEAD:
                raise MalformedError(f"its header section is larger than {LARGEST_HEAD // 1024} KiB")
            if end is None:
                self._searched = len(self._held)
                return b""
            if self._take(end.end()):
                self._complete = True
                return self.rest()

    def rest(self) -> bytes:
        """Return the bytes still held back, even an incomplete head, as when the connection ends."""
        held, self._held = bytes(self._held), bytearray()
        return held

    def _check_begin(self) -> None:
        begin = self._held[: len(_BEGIN)]
        if not _BEGIN.startswith(begin):
            raise MalformedError("it does not begin like HTTP")

    def _take(self, length: int) -> bool:
        """Process one complete head; return whether it is the final one.

        The final head is cleaned up; informational heads are dropped.
        """
        head, body = bytes(self._held[:length]), self._held[length:]
        self._searched = 0
        status_line, *lines = [line.removesuffix(b"\r") for line in head.rstrip(b"\r\n").split(b"\n")]
        match = _STATUS_LINE.fullmatch(status_line)
        if match is None:
            raise MalformedError("its first line is not HTTP")
        status = matched_number(match[2])
        status_line = b" ".join((match[1], match[2], _CONTROL.sub(b"", match[3] or b"")))
        if 100 <= status < 200 and status != _SWITCHING_PROTOCOLS:
            self._informational += 1
            if self._informational > MOST_INFORMATIONAL:
                raise MalformedError(
                    f"more than {MOST_INFORMATIONAL} informational responses (HTTP {status}) precede it"
                )
            self._held = body
            return False
        fields = _tidied(lines)
        if status in _WITHOUT_BODY and (body or _announces_body(fields)):
            # With this status an answer has no body. Bytes that follow its head are not the next answer.
            fields = [(name, value) for name, value in fields if name.lower() not in _FRAMING]
            fields.append((b"Connection", b"close"))
            body = bytearray()
        written = b"".join(name + b": " + value + b"\r\n" for name, value in fields)
        self._held = bytearray(status_line + b"\r\n" + written + b"\r\n") + body
        return True


def _tidied(lines: list[bytes]) -> list[tuple[bytes, bytes]]:
    """Return a head's fields, with trimmed names and without lines that are not fields."""
    fields: list[tuple[bytes, bytes]] = []
    open_ended = False  # whether a line that begins with a space continues the last field (obs-fold)
    for line in lines:
        name, colon, value = line.partition(b":")
        name, value = name.strip(b" \t"), value.strip(b" \t\r")
        if open_ended and line[:1] in (b" ", b"\t") and name.lower() not in _READ:
            fields[-1] = (fields[-1][0], fields[-1][1] + b" " + line.strip(b" \t\r"))
            continue
        open_ended = bool(colon) and _TOKEN.fullmatch(name) is not None
        if open_ended:
            fields.append((name, value))
    meant = [tidy for field in fields for tidy in _meant(*field)]
    told = b",".join(value for name, value in meant if name.lower() == b"content-length").split(b",")
    lengths = {length.strip(b" \t") for length in told} - {b""}
    if len(lengths) > 1 or not all(_LENGTH.fullmatch(length) for length in lengths):
        raise MalformedError("its Content-Length is not a number, or it has two that differ")
    return meant


def _meant(name: bytes, value: bytes) -> list[tuple[bytes, bytes]]:
    """Return a field in its intended form; empty if it is meaningless."""
    lower = name.lower()
    if _CONTROL.search(value):
        if lower in _FRAMING:
            raise MalformedError(f"its header {name.decode('ascii')} contains control characters")
        return []
    if lower != b"transfer-encoding":
        return [(name, value)]
    # RFC 2616 knew the coding `identity`, which changes nothing.
    codings = [coding.strip(b" \t").lower() for coding in value.split(b",")]
    codings = [coding for coding in codings if coding not in (b"identity", b"")]
    if codings not in ([], [b"chunked"]):
        shown = b", ".join(codings)[:40].decode("ascii", "replace")
        raise MalformedError(f"it has the transfer coding '{shown}', which lpad did not request")
    return [(name, coding) for coding in codings]


def _announces_body(fields: list[tuple[bytes, bytes]]) -> bool:
    return any(name.lower() in _FRAMING and value.strip(b"0") for name, value in fields)
