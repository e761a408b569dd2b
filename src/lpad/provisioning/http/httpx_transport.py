"""A transport for httpx over lpad's own HTTPS, so that its limits also apply to platforms.

Deadlines, cancelling, proxy, interface and the race of addresses are those of `remote/https`. A redirection
to another host is refused, because that host is not the platform. A redirection within the platform is not
followed either, but a call's declaration may accept its status, because some platforms answer a completed
call with a redirection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import httpx

from lpad.base.errors import InvalidSettings, InvalidValue, PlatformUnclear
from lpad.base.frozen import Frozen
from lpad.base.server_address import ServerAddress
from lpad.remote.https.connection import HttpsConnection

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.base.deadline import Deadline
    from lpad.remote.https.connection import HttpAnswer
    from lpad.remote.https.proxy_and_interface import Route
    from lpad.remote.https.request_limits import Limits
    from lpad.remote.trust.trust_anchors import Trust

LARGEST_ANSWER = 1024 * 1024
"""The maximum number of bytes of a decompressed body; a page of 1000 entries has a few hundred kilobytes."""
DEADLINE = "lpad.deadline"
"""The key of an httpx request's `extensions` for its `Deadline`."""
_OURS = frozenset({"host", "content-length", "accept-encoding", "connection", "transfer-encoding"})
"""Headers that the connection writes itself."""
_UNPACKED = frozenset({"content-encoding", "content-length", "transfer-encoding", "connection"})
"""Headers that are no longer valid after the body is decompressed."""


class Exchange(Frozen):
    """One request and its answer, with decompressed bodies; contains secrets."""

    HIDDEN: ClassVar[frozenset[str]] = frozenset(
        {"request_headers", "request_body", "answer_headers", "answer_body"}
    )
    method: str
    url: str
    request_headers: tuple[tuple[str, str], ...]
    request_body: bytes
    status: int
    answer_headers: tuple[tuple[str, str], ...]
    answer_body: bytes


class HttpsTransport(httpx.BaseTransport):
    """Keeps one connection for each server that the platform has; not to be shared between threads."""

    def __init__(
        self,
        *,
        trust: Trust,
        route: Route,
        limits: Limits | None = None,
        observe: Callable[[Exchange], None] | None = None,
    ) -> None:
        """Create the transport; no connection is made yet."""
        self._trust = trust
        self._route = route
        self._limits = limits
        self._observe = observe
        self._connections: dict[ServerAddress, HttpsConnection] = {}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, and return the whole answer.

        Raises:
            InvalidSettings: the address is not https.
            PlatformUnclear: the answer redirects to another server, or a header to send is not printable.
            ServerError: see `HttpsConnection.send`.
            Cancelled: another thread ends the wait.
        """
        deadline: Deadline = request.extensions[DEADLINE]
        address = server_of(str(request.url))
        connection = self._connections.get(address)
        if connection is None:
            connection = self._connections[address] = HttpsConnection(
                address, trust=self._trust, route=self._route, limits=self._limits
            )
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _OURS}
        for name, value in headers.items():
            if not value.isprintable():
                raise PlatformUnclear(
                    f"cannot ask {address}: the header '{name}' would contain a control character; check the"
                    " platform's credentials and options in the settings",
                )
        body = request.read()
        answer = connection.send(
            request.method,
            request.url.raw_path.decode("ascii"),
            body,
            headers=headers,
            limit=LARGEST_ANSWER,
            deadline=deadline,
        )
        if self._observe is not None:
            self._observe(
                Exchange(
                    request.method,
                    str(request.url),
                    tuple(headers.items()),
                    body,
                    answer.status,
                    answer.headers,
                    answer.body,
                )
            )
        if answer.location is not None and _leads_elsewhere(answer, request, address):
            raise redirected(str(address), answer.status)
        # httpx does not encode characters beyond ASCII, as in a server's name, so the headers are bytes.
        kept = [
            (name.encode("latin-1"), value.encode("latin-1"))
            for name, value in answer.headers
            if name.lower() not in _UNPACKED
        ]
        return httpx.Response(answer.status, headers=kept, content=answer.body, request=request)

    def close(self) -> None:
        """Close all connections; a later request opens new ones."""
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()


def redirected(subject: str, status: int) -> PlatformUnclear:
    """Return the error for a redirection, which lpad does not follow."""
    return PlatformUnclear(
        f"{subject}: the answer is a redirection (HTTP {status}), which lpad does not follow: either the"
        " address in the platform's file is out of date, or a network in between requires a visit to its"
        " log-in page",
        http_status=status,
    )


def _leads_elsewhere(answer: HttpAnswer, request: httpx.Request, address: ServerAddress) -> bool:
    if not 300 <= answer.status < 400:
        return False
    try:
        return server_of(str(request.url.join(answer.location or ""))) != address
    except (InvalidSettings, httpx.InvalidURL, ValueError):
        return True


def server_of(url: str) -> ServerAddress:
    """Return the server in an address.

    Raises:
        InvalidSettings: the address is not https, names no server, or contains a user.
    """
    unusable = f"'{_shown(url)}' is not the address of a platform"
    try:
        parts = httpx.URL(url)
        server = f"{parts.host}:{parts.port}" if parts.port is not None else parts.host
        address = ServerAddress.parse(server)
    except (httpx.InvalidURL, InvalidValue, UnicodeError) as error:
        raise InvalidSettings(unusable) from error
    if parts.scheme != "https" or parts.userinfo:
        raise InvalidSettings(
            f"{unusable}: it must begin with https:// and the server's name, because credentials and orders"
            " must not cross the network in clear text"
        )
    return address


def _shown(url: str) -> str:
    return url.partition("?")[0][:80]
