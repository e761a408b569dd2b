"""One kept-alive HTTPS connection to one server: sends a request, returns the answer's status and body.

httpcore is httpx's core without its client. The client would load rich, pygments and click (9 MB in a daemon
that may use 64), and its timeouts limit each read but not a request.
"""

from __future__ import annotations

import ssl
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import httpcore
from msgspec import Struct

from lpad.base.errors import MalformedError, ServerMalformed, ServerUnreachable, ServerUntrusted
from lpad.base.untrusted_number import whole_number
from lpad.remote.https.content_coding import codings, unpacked
from lpad.remote.https.cookies import Cookies
from lpad.remote.https.http_trace import trace_answer, trace_failure, trace_request
from lpad.remote.https.redirection import repeated_at
from lpad.remote.https.request_limits import MOST_REDIRECTIONS, Limits
from lpad.remote.https.timed_stream import HandshakeAgain, HandshakeSucceeded, TimedBackend
from lpad.remote.sockets.socket_waiting import Waiting
from lpad.remote.trust.anchor_named_by_card import NO_CARD, CardTrust
from lpad.remote.trust.next_handshake import Handshakes
from lpad.remote.trust.server_trust_report import report

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lpad.base.deadline import Deadline
    from lpad.base.server_address import ServerAddress
    from lpad.remote.https.proxy_and_interface import Route
    from lpad.remote.trust.server_trust_report import TrustReport
    from lpad.remote.trust.trust_anchors import Trust


_WITHOUT_BODY = frozenset({"GET", "HEAD", "DELETE"})
"""Methods whose requests need no Content-Length if they have no body (RFC 9110, 8.6)."""


class HttpAnswer(Struct, frozen=True):
    """An answer, decompressed; `headers` are all headers, in their order."""

    status: int
    body: bytes
    location: str | None = None
    headers: tuple[tuple[str, str], ...] = ()


class HttpsConnection:
    """Connects when first used, and again if the connection has been closed.

    Not to be shared between threads. Proxies from the environment are ignored: lpad contacts a server
    directly, or through the proxy in the settings.
    """

    def __init__(
        self,
        server: ServerAddress,
        *,
        trust: Trust,
        route: Route,
        card: CardTrust = NO_CARD,
        limits: Limits | None = None,
        only_status: bool = False,
        encrypted: bool = True,
    ) -> None:
        """Prepare for `server`, whose identity `card` may confirm; no connection is made yet.

        With `only_status`, only an answer's status and headers count: its body cannot cause a failure, and no
        redirection is followed. Without `encrypted`, the connection is HTTP, for a server on this device.
        """
        self._server = server
        self._only_status = only_status
        self._scheme = "https" if encrypted else "http"
        self._limits = limits or Limits()
        self._cookies = Cookies(server.host)
        self._handshakes = partial(Handshakes, server, trust=trust, card=card)
        self._proxy = route.proxy
        self._backend = TimedBackend(server, handshakes=self._handshakes(), route=route)
        self._pool: httpcore.ConnectionPool | None = None

    @property
    def connects(self) -> int:
        """The number of TCP connections made so far."""
        return self._backend.connects

    def post(
        self, path: str, body: bytes, *, headers: Mapping[str, str], limit: int, deadline: Deadline
    ) -> HttpAnswer:
        """Post `body` and return the answer, whatever its status; see `send`."""
        return self.send("POST", path, body, headers=headers, limit=limit, deadline=deadline)

    def send(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        headers: Mapping[str, str],
        limit: int,
        deadline: Deadline,
    ) -> HttpAnswer:
        """Send a request and return the answer, whatever its status.

        Args:
            method: such as "POST".
            path: from the root, such as "/gsma/rsp2/es9plus/handleNotification", with a query if there is
                one.
            body: the request's body; may be empty.
            headers: headers in addition to Host and Content-Length.
            limit: the maximum number of bytes in the answer's body.
            deadline: the time limit for name resolution, connection, handshake, request and answer.

        Raises:
            ServerUnreachable: no connection, or no answer in time.
            ServerUntrusted: TLS cannot be verified.
            ServerMalformed: the answer is not HTTP, is larger than `limit`, or cannot be decompressed.
            Cancelled: another thread ends the wait.
        """
        self._begin(deadline)
        if self._only_status:
            return self._send(method, path, body, headers, limit)
        target = path
        for _ in range(MOST_REDIRECTIONS):
            answer = self._send(method, target, body, headers, limit)
            again = repeated_at(answer.status, answer.location, target=target, server=self._server)
            if again is None:
                break
            target = again
        return answer

    def check_trust(self, *, deadline: Deadline) -> TrustReport:
        """Make a TLS handshake on a new connection, send nothing, and report the result.

        Raises:
            ServerUnreachable: no connection, or no answer in time.
        """
        self.close()
        self._begin(deadline)
        self._backend.only_handshake = True
        tried = 0
        url = httpcore.URL(scheme="https", host=self._server.host, port=self._server.port, target="/")
        try:
            while True:
                tried += 1
                with suppress(HandshakeAgain):
                    self._exchange(httpcore.Request("GET", url), 0)
                self.close()
        except HandshakeSucceeded:
            return report(self._backend.handshakes, tried=tried, error=None)
        except ServerUntrusted as error:
            return report(self._backend.handshakes, tried=tried, error=error)
        finally:
            self._backend.only_handshake = False
            self.close()

    def close(self) -> None:
        """Close the connection; a later request opens a new one."""
        if self._pool is not None:
            self._pool.close()
            self._pool = None

    def _begin(self, deadline: Deadline) -> None:
        self._backend.waiting = Waiting(deadline.within(self._limits.request), silence=self._limits.silence)
        self._backend.handshakes = self._handshakes()

    def _send(
        self, method: str, target: str, body: bytes, headers: Mapping[str, str], limit: int
    ) -> HttpAnswer:
        url = httpcore.URL(scheme=self._scheme, host=self._server.host, port=self._server.port, target=target)
        path = target.partition("?")[0]
        told = [
            ("Host", str(self._server)),
            *([("Content-Length", str(len(body)))] if body or method not in _WITHOUT_BODY else []),
            # lpad does not request compressed answers, but decompresses them.
            ("Accept-Encoding", "identity"),
            *headers.items(),
        ]
        cookies = self._cookies.header(path)
        if cookies is not None:
            told.append(("Cookie", cookies))
        trace_request(self._server, method, path, headers, body)
        while True:
            try:
                return self._exchange(httpcore.Request(method, url, headers=told, content=body), limit, path)
            except HandshakeAgain:
                self.close()
            except Exception as error:
                self.close()  # later bytes here must not be mistaken for the next answer
                trace_failure(self._server, error)
                raise

    def _exchange(self, request: httpcore.Request, limit: int, path: str = "/") -> HttpAnswer:
        if self._pool is None:
            self._pool = self._new_pool()
        started = time.monotonic()
        try:
            response = self._pool.handle_request(request)
            try:
                headers = [
                    (name.decode("latin-1"), value.decode("latin-1")) for name, value in response.headers
                ]
                body = self._body(response, limit, headers)
            finally:
                response.close()
        except httpcore.RemoteProtocolError as error:
            if self._backend.ended:
                raise ServerUnreachable(
                    f"{self._server} closed the connection without a complete answer; try again later"
                ) from error
            raise ServerMalformed(
                f"{self._server} does not answer with HTTP; check the address and the port"
            ) from error
        except httpcore.ProxyError as error:
            assert self._proxy is not None
            raise ServerUnreachable(
                f"the proxy {self._proxy.address} refuses the connection to {self._server}: {error}; ask the"
                " proxy's administrator, and check the settings 'remote.proxy' and"
                " 'remote.proxy_credentials'",
                cause="proxy-refused",
            ) from error
        except httpcore.WriteError as error:
            raise ServerUnreachable(f"the connection to {self._server} broke: {error}") from error
        for name, value in headers:
            if name.lower() == "set-cookie":
                self._cookies.take(value, path=path)
        location = _header(headers, "location")
        trace_answer(self._server, response.status, dict(headers), body, time.monotonic() - started)
        return HttpAnswer(response.status, body, location, tuple(headers))

    def _new_pool(self) -> httpcore.ConnectionPool:
        # httpcore requires a TLS context here; TimedStream uses a different one.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if self._proxy is None:
            return httpcore.ConnectionPool(
                ssl_context=context, max_connections=1, network_backend=self._backend
            )
        where = self._proxy.address
        return httpcore.HTTPProxy(
            httpcore.URL(scheme="http", host=where.host, port=where.port, target="/"),
            proxy_auth=self._proxy.credentials,
            ssl_context=context,
            max_connections=1,
            network_backend=self._backend,
        )

    def _body(self, response: httpcore.Response, limit: int, headers: list[tuple[str, str]]) -> bytes:
        if self._only_status:
            self._pass_over(response, limit)
            return b""
        too_large = ServerMalformed(f"the answer of {self._server} is larger than {limit} bytes")
        declared = _header(headers, "content-length")
        if declared is not None and whole_number(declared.partition(",")[0].strip(), most=limit) is None:
            raise too_large
        body = bytearray()
        for chunk in response.iter_stream():
            body += chunk
            if len(body) > limit:
                raise too_large
        whole = bytes(body)
        try:
            for coding in codings(_header(headers, "content-encoding") or "") if whole else ():
                whole = unpacked(whole, coding, limit=limit)
                if len(whole) > limit:
                    raise too_large
        except MalformedError as error:
            if not 200 <= response.status < 300:
                return b""  # the status shows the failure
            raise ServerMalformed(f"{self._server}: {error}; tell the server's operator") from error
        return whole

    @staticmethod
    def _pass_over(response: httpcore.Response, limit: int) -> None:
        """Read an unneeded body, unless it is long, so that the connection can be used again."""
        length = 0
        with suppress(ServerUnreachable, ServerMalformed, httpcore.RemoteProtocolError):
            for chunk in response.iter_stream():
                length += len(chunk)
                if length > limit:
                    return


def _header(headers: list[tuple[str, str]], name: str) -> str | None:
    """Return a header's value, or several values joined as HTTP defines; None: no such header."""
    found = [value for each, value in headers if each.lower() == name]
    return ", ".join(found) or None
