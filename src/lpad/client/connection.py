"""The client's connection: requests over the daemon's Unix socket, repeated if an answer is lost."""

from __future__ import annotations

import uuid
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlencode

import httpcore
import msgspec

from lpad.client import wire
from lpad.client.unix_socket import UnixBackend
from lpad.client.views import Change, DaemonUnreachable

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

    from lpad.client.views import Event

PATIENCE = 30.0
"""Seconds for an immediate answer."""

_HEADERS: Mapping[bytes | str, bytes | str] = {"Content-Type": "application/json"}

_T = TypeVar("_T")


class Connection:
    """Requests and streams; failures raise an `ApiError`."""

    def __init__(self, socket: str) -> None:
        """Prepare to connect to the socket at a path."""
        self._socket = socket
        self._pool = httpcore.ConnectionPool(uds=socket, network_backend=UnixBackend())

    def close(self) -> None:
        """Close the connection."""
        self._pool.close()

    def get(self, path: str, type_: type[_T]) -> _T:
        """Return the typed content of a path."""
        return wire.decoded(self.request("GET", path).content, type_)

    def get_list(
        self, path: str, name: str, type_: type[_T], query: dict[str, str] | None = None
    ) -> list[_T]:
        """Return the list of typed items with a name at a path."""
        content = wire.decoded(self.request("GET", path, query=query).content, dict[str, Any])
        return msgspec.convert(content[name], list[type_])  # type: ignore[valid-type]  # a type at run time

    def change(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        query: dict[str, str] | None = None,
        wait: float = 0,
        key: str | None = None,
    ) -> Change:
        """Request a change, which happens once even if the request is repeated; `key` None: a new key."""
        # With a key, the request can be repeated if its answer is lost, and is carried out once.
        key = str(uuid.uuid4()) if key is None else key
        return wire.decoded(self.request(method, path, body, query=query, wait=wait, key=key).content, Change)

    def request(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        query: dict[str, str] | None = None,
        wait: float = 0,
        key: str | None = None,
    ) -> httpcore.Response:
        """Send a request and return its answer.

        Args:
            method: such as GET.
            path: with special characters quoted.
            body: JSON.
            query: parameters.
            wait: seconds for which the daemon may delay its answer.
            key: the idempotency key; without it, only read-only requests are repeated.

        Raises:
            ApiError: the daemon refuses.
            DaemonUnreachable: there is no answer.
        """
        params: dict[str, str | float] = dict(query or {})
        if wait:
            params["wait"] = wait
        send = partial(
            self._pool.request,
            method,
            _url(path, params),
            headers=_HEADERS if key is None else {**_HEADERS, "Idempotency-Key": key},
            content=msgspec.json.encode(body) if body is not None else None,
            extensions=_patience(PATIENCE + wait),
        )
        with self._mapped():
            try:
                response = send()
            except (httpcore.ReadError, httpcore.RemoteProtocolError):
                # The answer is lost, and the request may or may not have been accepted.
                if key is None and method != "GET":
                    raise
                response = send()
        if response.status >= 400:
            raise wire.problem(response.content, status=response.status)
        return response

    def stream(self, path: str, query: Mapping[str, object]) -> Generator[Event, None, None]:
        """Yield the events of a path until the daemon ends the stream.

        Raises:
            ApiError: the daemon refuses.
            DaemonUnreachable: the daemon cannot be reached any more.
        """
        with (
            self._mapped(),
            self._pool.stream(
                "GET", _url(path, query), headers=_HEADERS, extensions=_patience(None)
            ) as response,
        ):
            if response.status >= 400:
                response.read()
                raise wire.problem(response.content, status=response.status)
            yield from wire.events(response.iter_stream())

    @contextmanager
    def _mapped(self) -> Iterator[None]:
        try:
            yield
        except httpcore.ConnectError as error:
            raise DaemonUnreachable(
                f"cannot reach lpad at {self._socket}: {error}; is the daemon running, and"
                " may this user connect (group 'lpad')?"
            ) from error
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException) as error:
            why = "no answer in time" if isinstance(error, httpcore.TimeoutException) else "it was closed"
            raise DaemonUnreachable(
                f"the connection to lpad at {self._socket} broke: {why}; the daemon's log says more"
            ) from error


def _url(path: str, query: Mapping[str, object]) -> str:
    return f"http://lpad{path}?{urlencode(query)}" if query else f"http://lpad{path}"


def _patience(read: float | None) -> dict[str, Any]:
    return {"timeout": {"connect": PATIENCE, "write": PATIENCE, "pool": PATIENCE, "read": read}}
