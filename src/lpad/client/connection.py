"""The client's connection: requests over the daemon's Unix socket, repeated if an answer is lost."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlencode

import msgspec

from lpad.client import decoding
from lpad.client.http_socket import (
    CannotConnectError,
    ConnectionBrokenError,
    HttpSocket,
    NoAnswerError,
    Request,
)
from lpad.client.views import Change, DaemonUnreachable, Page

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

    from lpad.client.views import Event

PATIENCE = 30.0
"""Seconds to wait for an answer, not counting the delay that a request permits."""

_HEADERS: Mapping[str, str] = {"Content-Type": "application/json"}

_T = TypeVar("_T")


class Connection:
    """Sends requests and reads streams; failures raise an `ApiError`."""

    def __init__(self, socket: str) -> None:
        """Store the path of the daemon's socket; the first request connects."""
        self._socket = socket
        self._idle: list[HttpSocket] = []
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close the idle connections."""
        with self._lock:
            idle, self._idle = self._idle, []
        for each in idle:
            each.close()

    def get(self, path: str, type_: type[_T], query: Mapping[str, object] | None = None) -> _T:
        """Return the API's answer for a path, decoded as a type."""
        return decoding.decoded(self.request("GET", path, query=given(query)), type_)

    def get_list(
        self, path: str, name: str, type_: type[_T], query: Mapping[str, object] | None = None
    ) -> Page[_T]:
        """Return a page of the list called `name` in the API's answer for a path."""
        content = decoding.decoded(self.request("GET", path, query=given(query)), dict[str, Any])
        return page_of(content, name, type_)

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
        """Request a change; lpad carries out requests with the same key only once. `key` None: a new key."""
        # With the key, a request whose answer is lost can be repeated, and is carried out only once.
        key = os.urandom(16).hex() if key is None else key
        return decoding.decoded(self.request(method, path, body, query=query, wait=wait, key=key), Change)

    def request(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        query: dict[str, str] | None = None,
        wait: float = 0,
        key: str | None = None,
    ) -> bytes:
        """Send a request and return the body of its answer.

        Args:
            method: such as GET.
            path: with special characters quoted.
            body: the fields of the JSON body; None: no body.
            query: the parameters after the path, if any.
            wait: seconds for which the daemon may delay its answer.
            key: the idempotency key; without it, only read-only requests are repeated.

        Raises:
            ApiError: the daemon refuses.
            DaemonUnreachable: there is no answer.
        """
        request = request_of(method, path, body, query=query, wait=wait, key=key)
        with mapped(self._socket):
            try:
                status, content = self._answer(request, PATIENCE + wait)
            except ConnectionBrokenError:
                # The answer is lost, and the request may or may not have been accepted.
                if key is None and method != "GET":
                    raise
                status, content = self._answer(request, PATIENCE + wait)
        if status >= 400:
            raise decoding.problem(content, status=status)
        return content

    def stream(self, path: str, query: Mapping[str, object]) -> Generator[Event, None, None]:
        """Yield the events of the stream at a path until the daemon ends the stream.

        Raises:
            ApiError: the daemon refuses.
            DaemonUnreachable: the daemon cannot be reached, or the connection is lost.
        """
        with mapped(self._socket), self._opened() as http:
            status = http.send(request_of("GET", path, query=query), patience=None)
            if status >= 400:
                raise decoding.problem(b"".join(http.body(patience=PATIENCE)), status=status)
            yield from decoding.events(http.body(patience=None))

    def _answer(self, request: Request, patience: float) -> tuple[int, bytes]:
        with self._opened() as http:
            status = http.send(request, patience=patience)
            return status, b"".join(http.body(patience=patience))

    @contextmanager
    def _opened(self) -> Iterator[HttpSocket]:
        """Yield an idle connection or a new one; keep it afterwards if another request may use it."""
        http: HttpSocket | None = None
        while http is None:
            with self._lock:
                idle = self._idle.pop() if self._idle else None
            if idle is None:
                http = HttpSocket(self._socket, patience=PATIENCE)
            elif idle.usable:
                http = idle
            else:
                idle.close()
        try:
            yield http
        except BaseException:
            http.close()
            raise
        if not http.usable:
            http.close()
            return
        with self._lock:
            self._idle.append(http)


@contextmanager
def mapped(socket: str) -> Iterator[None]:
    """Turn failures of the connection to a socket into DaemonUnreachable."""
    try:
        yield
    except CannotConnectError as error:
        raise DaemonUnreachable(
            f"cannot reach lpad at {socket}: {error}; is the daemon running, and"
            " may this user connect (group 'lpad')?"
        ) from error
    except (ConnectionBrokenError, NoAnswerError) as error:
        why = "no answer in time" if isinstance(error, NoAnswerError) else "it was closed"
        raise DaemonUnreachable(
            f"the connection to lpad at {socket} broke: {why}; see the daemon's log"
        ) from error


def request_of(
    method: str,
    path: str,
    body: dict[str, Any] | None = None,
    *,
    query: Mapping[str, object] | None = None,
    wait: float = 0,
    key: str | None = None,
) -> Request:
    """Return a request; the arguments are those of `Connection.request`."""
    params = dict(query or {})
    if wait:
        params["wait"] = wait
    return Request(
        method=method,
        target=f"{path}?{urlencode(params)}" if params else path,
        headers=_HEADERS if key is None else {**_HEADERS, "Idempotency-Key": key},
        body=msgspec.json.encode(body) if body is not None else b"",
    )


def page_of(content: dict[str, Any], name: str, type_: type[_T]) -> Page[_T]:
    """Return the list called `name` in an answer as a page of typed items."""
    items = msgspec.convert(content[name], list[type_])  # type: ignore[valid-type]  # a type at run time
    return Page(items, following=content.get("next"))


def given(query: Mapping[str, object] | None) -> dict[str, str] | None:
    """Return a request's parameters as text, without those that are None; None if no parameter is left."""
    return {name: str(value) for name, value in (query or {}).items() if value is not None} or None
