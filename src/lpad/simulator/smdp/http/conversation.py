"""HTTP/1.1 on one connection: requests in, answers out, and faults at the HTTP level."""

from __future__ import annotations

import logging
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol

from lpad.simulator.smdp.functions.faults import ActiveFaults, FaultKind
from lpad.simulator.smdp.functions.function_table import FUNCTIONS, PATH, HttpAnswer
from lpad.simulator.smdp.http.http_connection import WEB_PAGE, HttpConnection

if TYPE_CHECKING:
    import ssl

    from lpad.simulator.smdp.functions.faults import FaultPlan
    from lpad.simulator.smdp.http.traffic_counters import Counters


class Served(Protocol):
    """The part of the server that a conversation uses."""

    faults: FaultPlan
    counters: Counters

    def carry_out(self, function: str, body: bytes, faults: ActiveFaults) -> HttpAnswer:
        """Carry out an ES9+ function, and return the answer."""


_log = logging.getLogger(__name__)
_OWN_PROTOCOL = "gsma/rsp/v2.5.0"
_OVERSIZED = 8 << 20


class HttpConversation(HttpConnection):
    """Serves one connection until the client closes it."""

    def __init__(self, connection: ssl.SSLSocket, smdp: Served) -> None:
        """Serve `connection` for `smdp`, and return when it is closed."""
        self._smdp = smdp
        super().__init__(connection, smdp)

    def do_POST(self) -> None:  # noqa: N802 - http.server's own name
        """Carry out an ES9+ function."""
        body = self.read_body()
        if isinstance(body, HTTPStatus):
            self._send(HttpAnswer(body), keep=False)
            return
        function = self.path.removeprefix(PATH)
        if not self.path.startswith(PATH) or function not in FUNCTIONS:
            self._send(HttpAnswer(HTTPStatus.NOT_FOUND))
            return
        self._smdp.counters.requested(function)
        faults = self._smdp.faults.take(function)
        if FaultKind.DROP_BEFORE in faults:
            self.drop()
        if FaultKind.DELAY in faults:
            time.sleep(faults.number(FaultKind.DELAY, 1.0))
        answer = _replacement(faults) or self._smdp.carry_out(function, body, faults)
        _log.info("%s: HTTP %d, %s", function, answer.status, answer.outcome)
        if FaultKind.DROP_AFTER in faults:
            self.drop()
        self._send(_altered(faults, answer), cut_short=FaultKind.BODY_TRUNCATED in faults)

    def _send(self, answer: HttpAnswer, *, keep: bool = True, cut_short: bool = False) -> None:
        self.send_response(answer.status)
        told = self.headers.get("X-Admin-Protocol", "")
        self.send_header("X-Admin-Protocol", told if told.startswith("gsma/rsp/v") else _OWN_PROTOCOL)
        if answer.location is not None:
            self.send_header("Location", answer.location)
        # Sent even with an empty body, because a real client checks the type before anything else.
        self.send_header("Content-Type", answer.content_type)
        if answer.status != HTTPStatus.NO_CONTENT:  # RFC 9110, 8.6: none with 204
            self.send_header("Content-Length", str(len(answer.body)))
        if not keep:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(answer.body[: len(answer.body) // 2] if cut_short else answer.body)
        if cut_short:
            self.wfile.flush()
            self.drop()


def _replacement(faults: ActiveFaults) -> HttpAnswer | None:
    """Return the answer that replaces carrying out the request; None: no fault requires one."""
    if FaultKind.HTTP_STATUS in faults:
        return HttpAnswer(int(faults.number(FaultKind.HTTP_STATUS, 500)))
    if FaultKind.REDIRECT in faults:
        return HttpAnswer(
            HTTPStatus.FOUND, location=faults.value(FaultKind.REDIRECT, "https://elsewhere.example/")
        )
    return None


def _altered(faults: ActiveFaults, answer: HttpAnswer) -> HttpAnswer:
    """Return the answer with the body as altered by a fault."""
    if FaultKind.BODY_MALFORMED in faults:
        return HttpAnswer(HTTPStatus.OK, b'{"header":{"functionExecutionStatus":')
    if FaultKind.BODY_HTML in faults:
        return HttpAnswer(HTTPStatus.OK, WEB_PAGE, "text/html")
    if FaultKind.BODY_EMPTY in faults:
        return HttpAnswer(HTTPStatus.OK)
    if FaultKind.BODY_OVERSIZED in faults:
        blanks = b" " * int(faults.number(FaultKind.BODY_OVERSIZED, _OVERSIZED))
        return HttpAnswer(answer.status, b"{" + blanks + answer.body[1:])
    return answer
