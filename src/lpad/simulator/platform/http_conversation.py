"""HTTP/1.1 with a simulated platform's client: requests in, answers out, and the faults of HTTP."""

from __future__ import annotations

import gzip
import json
import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

from lpad.simulator.platform.faults import PlatformFault
from lpad.simulator.platform.request_and_answer import Answer, Request
from lpad.simulator.smdp.http.http_connection import WEB_PAGE, HttpConnection

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from lpad.simulator.platform.platform_base import Faulty

_log = logging.getLogger(__name__)
_HUGE = 8 << 20
_BOMB = 48 << 20
_BEFORE: dict[PlatformFault, Callable[[str], Answer]] = {
    PlatformFault.STATUS: lambda value: Answer(int(value or "500")),
    PlatformFault.BUSY: lambda value: Answer(429, {"message": "slow down"}, _later(value)),
    PlatformFault.UNAVAILABLE: lambda value: Answer(503, {"message": "not ready"}, _later(value)),
    PlatformFault.REDIRECT: lambda value: Answer(
        302, None, {"Location": value or "https://elsewhere.example/"}
    ),
}
"""The answers, by fault, to requests that are not carried out."""


class Served(Protocol):
    """The part of a platform that a conversation uses."""

    def carry_out(self, request: Request) -> tuple[Answer, Faulty]:
        """Carry out a request; return the answer, and the request's faults."""

    def date(self) -> float:
        """Return the platform's time, in seconds since 1970."""


class PlatformConversation(HttpConnection):
    """Serves one connection until the client closes it."""

    def __init__(self, connection: ssl.SSLSocket, platform: Served) -> None:
        """Serve `connection` for `platform`, and return when it is closed."""
        self._platform = platform
        super().__init__(connection, platform)

    def do_GET(self) -> None:  # noqa: N802 - http.server's own name
        """Answer a query."""
        self._serve()

    def do_POST(self) -> None:  # noqa: N802 - http.server's own name
        """Carry out a request."""
        self._serve()

    def do_PUT(self) -> None:  # noqa: N802 - http.server's own name
        """Carry out a request."""
        self._serve()

    def do_PATCH(self) -> None:  # noqa: N802 - http.server's own name
        """Carry out a request."""
        self._serve()

    def do_DELETE(self) -> None:  # noqa: N802 - http.server's own name
        """Carry out a request."""
        self._serve()

    def _serve(self) -> None:
        body = self.read_body()
        if isinstance(body, HTTPStatus):
            self._send(body, b"", {}, keep=False)
            return
        parts = urlsplit(self.path)
        request = Request(
            method=self.command,
            host=self.headers.get("Host", "").partition(":")[0].lower(),
            path=unquote(parts.path),
            query=dict(parse_qsl(parts.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=body,
        )
        answer, faults = self._platform.carry_out(request)
        _log.info("%s %s: HTTP %d", request.method, answer.call, answer.status)
        if PlatformFault.LOST_ANSWER in faults or PlatformFault.LOST_REQUEST in faults:
            self.drop()
        self._send_altered(answer, faults)

    def _send_altered(self, answer: Answer, faults: Faulty) -> None:
        headers = dict(answer.headers)
        body = _encoded(answer.content)
        if body:
            headers.setdefault("Content-Type", "application/json")
        status = answer.status
        if PlatformFault.HTML in faults:
            status, body, headers = 200, WEB_PAGE, {"Content-Type": "text/html"}
        elif PlatformFault.EMPTY in faults:
            body = b""
        elif PlatformFault.TRUNCATED in faults:
            body = body[: len(body) // 2]
        elif PlatformFault.CHARSET in faults:
            body = body.decode().encode("utf-16")
        elif PlatformFault.HUGE in faults:
            body = b"{" + b" " * int(faults[PlatformFault.HUGE] or _HUGE) + body[1:]
        elif PlatformFault.GZIP_BOMB in faults:
            body = gzip.compress(b" " * _BOMB, 1)
            headers["Content-Encoding"] = "gzip"
        self._send(status, body, headers)

    def _send(self, status: int, body: bytes, headers: dict[str, str], *, keep: bool = True) -> None:
        self.send_response_only(status)
        self.send_header("Date", self.date_time_string(round(self._platform.date())))
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        if not keep:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)


def _encoded(content: Any) -> bytes:
    if isinstance(content, bytes):
        return content
    return b"" if content is None else json.dumps(content).encode()


def _later(value: str) -> dict[str, str]:
    return {"Retry-After": value} if value else {}


def replacement(faults: Faulty) -> Answer | None:
    """Return the answer that replaces carrying out the request; None: there is no such fault."""
    if PlatformFault.LOST_REQUEST in faults or PlatformFault.HTML in faults:
        return Answer(200)
    return next((make(faults[fault]) for fault, make in _BEFORE.items() if fault in faults), None)
