"""One kept-alive HTTPS connection to one server: posts a body, returns the answer's status and body.

httpcore is httpx without the client on top: that client would load rich, pygments and click with it (9 MB
in a daemon that may have 64), and its timeouts bound each read but not a request.
"""

from __future__ import annotations

import ssl
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import httpcore

from lpad.base.errors import ServerMalformed, ServerUnreachable, ServerUntrusted
from lpad.remote.https.http_trace import trace_answer, trace_failure, trace_request
from lpad.remote.https.timed_stream import HandshakeAgain, HandshakeSucceeded, TimedBackend
from lpad.remote.trust.card_anchor import CardTrust
from lpad.remote.trust.handshakes import Handshakes
from lpad.remote.trust.report import report

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lpad.base.deadline import Deadline
    from lpad.base.server_address import ServerAddress
    from lpad.remote.https.route import Route
    from lpad.remote.trust.report import TrustReport
    from lpad.remote.trust.trust import Trust


NO_CARD = CardTrust()


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What came back."""

    status: int
    body: bytes


class HttpsConnection:
    """Connects when first used, and again only after the server has closed an idle connection.

    Not to be shared between threads. Proxies named in the environment play no part: an address on an
    activation code is spoken to directly, or not at all.
    """

    def __init__(
        self, server: ServerAddress, *, trust: Trust, route: Route, card: CardTrust = NO_CARD
    ) -> None:
        """Prepare for `server`, whom `card` may vouch for; connects to nothing yet."""
        self._server = server
        self._handshakes = partial(Handshakes, server, trust=trust, card=card)
        self._proxy = route.proxy
        self._backend = TimedBackend(server, handshakes=self._handshakes(), route=route)
        self._pool: httpcore.ConnectionPool | None = None

    @property
    def connects(self) -> int:
        """How many TCP connections were made so far."""
        return self._backend.connects

    def post(
        self, path: str, body: bytes, *, headers: Mapping[str, str], limit: int, deadline: Deadline
    ) -> HttpAnswer:
        """Post `body` and return the answer, whatever its status.

        Args:
            path: from the root, such as "/gsma/rsp2/es9plus/handleNotification".
            body: the request's body.
            headers: besides Host and Content-Length.
            limit: bytes that the answer's body may have.
            deadline: for all of it: name, connection, handshake, request and answer.

        Raises:
            ServerUnreachable: no connection, or no answer in time.
            ServerUntrusted: TLS can't be verified.
            ServerMalformed: the answer is no HTTP, or larger than `limit`.
        """
        self._backend.deadline = deadline
        self._backend.handshakes = self._handshakes()
        url = httpcore.URL(scheme="https", host=self._server.host, port=self._server.port, target=path)
        told = [("Host", str(self._server)), ("Content-Length", str(len(body))), *headers.items()]
        trace_request(self._server, "POST", path, headers, body)
        while True:
            try:
                return self._exchange(httpcore.Request("POST", url, headers=told, content=body), limit)
            except HandshakeAgain:
                self.close()
            except Exception as error:
                trace_failure(self._server, error)
                raise

    def check_trust(self, *, deadline: Deadline) -> TrustReport:
        """Shake hands on a connection of its own, send nothing, and tell what was found out.

        Raises:
            ServerUnreachable: no connection, or no answer in time.
        """
        self.close()
        self._backend.deadline = deadline
        self._backend.handshakes = self._handshakes()
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
        """Close the connection; a later post opens a new one."""
        if self._pool is not None:
            self._pool.close()
            self._pool = None

    def _exchange(self, request: httpcore.Request, limit: int) -> HttpAnswer:
        if self._pool is None:
            self._pool = self._new_pool()
        started = time.monotonic()
        try:
            response = self._pool.handle_request(request)
            try:
                answer = HttpAnswer(response.status, self._body(response, limit))
            finally:
                response.close()
        except httpcore.RemoteProtocolError as error:
            if self._backend.ended:
                raise ServerUnreachable(
                    f"{self._server} closed the connection without a complete answer; try again later"
                ) from error
            raise ServerMalformed(
                f"what {self._server} answers is not HTTP; check the address and its port"
            ) from error
        except httpcore.ProxyError as error:
            assert self._proxy is not None
            raise ServerUnreachable(
                f"the proxy {self._proxy.address} does not let lpad through to {self._server}: {error}; ask "
                "whoever runs it, and see the settings 'remote.proxy' and 'remote.proxy_credentials'",
                cause="proxy-refused",
            ) from error
        except httpcore.WriteError as error:
            raise ServerUnreachable(f"the connection to {self._server} broke: {error}") from error
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in response.headers}
        trace_answer(self._server, answer.status, headers, answer.body, time.monotonic() - started)
        return answer

    def _new_pool(self) -> httpcore.ConnectionPool:
        # httpcore must have a context; TimedStream takes the one that is due.
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

    def _body(self, response: httpcore.Response, limit: int) -> bytes:
        body = bytearray()
        for chunk in response.iter_stream():
            body += chunk
            if len(body) > limit:
                raise ServerMalformed(f"the answer of {self._server} is larger than {limit} bytes")
        return bytes(body)
