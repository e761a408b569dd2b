"""The connection of the asynchronous client: `connection.py` for asyncio."""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Self, TypeVar

import h11

from lpad.client import decoding
from lpad.client.connection import PATIENCE, given, mapped, page_of, request_of
from lpad.client.http_socket import (
    LARGEST_HEAD,
    CannotConnectError,
    ConnectionBrokenError,
    NoAnswerError,
    Request,
    encoded,
)
from lpad.client.views import Change

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Mapping

    from lpad.client.views import Event, Page

_AT_ONCE = 64 * 1024

_T = TypeVar("_T")


class AsyncConnection:
    """Sends requests and reads streams in one event loop; failures raise an `ApiError`."""

    def __init__(self, socket: str) -> None:
        """Use the socket at a path; nothing is sent before the first request."""
        self._socket = socket
        self._idle: list[_AsyncHttpSocket] = []

    async def close(self) -> None:
        """Close the idle connections."""
        idle, self._idle = self._idle, []
        for each in idle:
            each.close()

    async def get(self, path: str, type_: type[_T], query: Mapping[str, object] | None = None) -> _T:
        """Return the content of a path, decoded as a type."""
        return decoding.decoded(await self.request("GET", path, query=given(query)), type_)

    async def get_list(
        self, path: str, name: str, type_: type[_T], query: Mapping[str, object] | None = None
    ) -> Page[_T]:
        """Return a page of the list called `name` in the content of a path."""
        content = decoding.decoded(await self.request("GET", path, query=given(query)), dict[str, Any])
        return page_of(content, name, type_)

    async def change(
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
        key = os.urandom(16).hex() if key is None else key
        return decoding.decoded(
            await self.request(method, path, body, query=query, wait=wait, key=key), Change
        )

    async def request(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        query: dict[str, str] | None = None,
        wait: float = 0,
        key: str | None = None,
    ) -> bytes:
        """Send a request and return the body of its answer; see `Connection.request`.

        Raises:
            ApiError: the daemon refuses.
            DaemonUnreachable: there is no answer.
        """
        request = request_of(method, path, body, query=query, wait=wait, key=key)
        with mapped(self._socket):
            try:
                status, content = await self._answer(request, PATIENCE + wait)
            except ConnectionBrokenError:
                # The answer is lost, and the request may or may not have been accepted.
                if key is None and method != "GET":
                    raise
                status, content = await self._answer(request, PATIENCE + wait)
        if status >= 400:
            raise decoding.problem(content, status=status)
        return content

    async def stream(self, path: str, query: Mapping[str, object]) -> AsyncGenerator[Event, None]:
        """Yield the events of a path until the daemon ends the stream.

        Raises:
            ApiError: the daemon refuses.
            DaemonUnreachable: the daemon cannot be reached, or the connection is lost.
        """
        with mapped(self._socket):
            async with self._opened() as http:
                status = await http.send(request_of("GET", path, query=query), patience=None)
                if status >= 400:
                    raise decoding.problem(await http.whole(patience=PATIENCE), status=status)
                reader = decoding.EventReader()
                async for chunk in http.body(patience=None):
                    for event in reader.feed(chunk):
                        yield event

    async def _answer(self, request: Request, patience: float) -> tuple[int, bytes]:
        async with self._opened() as http:
            status = await http.send(request, patience=patience)
            return status, await http.whole(patience=patience)

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[_AsyncHttpSocket]:
        """Yield an idle connection or a new one; keep it afterwards if another request may use it."""
        http = None
        while http is None and self._idle:
            idle = self._idle.pop()
            if idle.usable:
                http = idle
            else:
                idle.close()
        http = http or await _AsyncHttpSocket.connected(self._socket)
        try:
            yield http
        except BaseException:
            http.close()
            raise
        if http.usable:
            self._idle.append(http)
        else:
            http.close()


class _AsyncHttpSocket:
    """An HTTP connection, used for one request after another."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=LARGEST_HEAD)
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connected(cls, path: str) -> Self:
        """Return a new connection to the socket at a path.

        Raises:
            CannotConnectError: nothing accepts connections at the path.
        """
        try:
            async with asyncio.timeout(PATIENCE):
                return cls(*await asyncio.open_unix_connection(path))
        except OSError as error:  # TimeoutError is an OSError
            raise CannotConnectError(error.strerror or str(error)) from error

    def close(self) -> None:
        """Close the connection."""
        self._writer.close()

    @property
    def usable(self) -> bool:
        """Whether another request may follow: the last answer was read, and the connection is still open."""
        idle = self._http.our_state is h11.IDLE
        return idle and not self._reader.at_eof() and not self._writer.is_closing()

    async def send(self, request: Request, *, patience: float | None) -> int:
        """Send a request and return the answer's status; `body` then yields the answer's body.

        Raises:
            ConnectionBrokenError: the connection ends without an answer, or the answer is not HTTP.
            NoAnswerError: lpad does not answer in time.
        """
        self._writer.write(encoded(self._http, request))
        try:
            async with asyncio.timeout(PATIENCE):
                await self._writer.drain()
        except TimeoutError as error:
            raise NoAnswerError("lpad did not accept the request in time") from error
        except OSError:
            pass  # the daemon may have refused the request with an answer before reading all of it
        while not isinstance(event := await self._event(patience), h11.Response):
            pass  # skip an informational answer
        return event.status_code

    async def body(self, *, patience: float | None) -> AsyncIterator[bytes]:
        """Yield the body of the answer as it arrives; errors are those of `send`."""
        while not isinstance(event := await self._event(patience), h11.EndOfMessage):
            if isinstance(event, h11.Data):
                yield bytes(event.data)
        with suppress(h11.LocalProtocolError):  # the daemon closes the connection after this answer
            self._http.start_next_cycle()

    async def whole(self, *, patience: float) -> bytes:
        """Return the whole body of the answer; errors are those of `send`."""
        return b"".join([chunk async for chunk in self.body(patience=patience)])

    async def _event(self, patience: float | None) -> h11.Event:
        """Return the next part of the answer."""
        try:
            while (event := self._http.next_event()) is h11.NEED_DATA:
                async with asyncio.timeout(patience):
                    self._http.receive_data(await self._reader.read(_AT_ONCE))
        except TimeoutError as error:
            raise NoAnswerError("no answer in time") from error
        except (OSError, h11.RemoteProtocolError) as error:
            raise ConnectionBrokenError(str(error)) from error
        if isinstance(event, h11.Event):
            return event
        raise ConnectionBrokenError("the daemon closed the connection")
