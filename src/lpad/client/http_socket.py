"""One HTTP/1.1 connection to a Unix socket: h11 implements HTTP, and a socket carries the bytes.

A library with connection pools, TLS and proxies would take most of the time that `lpactl` needs to start.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

import h11
from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterator

LARGEST_HEAD = 64 * 1024
"""The maximum number of bytes of an answer's head."""
_AT_ONCE = 64 * 1024


class CannotConnectError(Exception):
    """Nothing accepts connections at the socket; nothing was sent."""


class ConnectionBrokenError(Exception):
    """The connection ended, or the answer was not HTTP; the request may have been carried out."""


class NoAnswerError(Exception):
    """The daemon did not accept the request in time, or did not answer it in time."""


class Request(Struct, frozen=True, kw_only=True):
    """A request: its body is JSON, or empty."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""


def encoded(http: h11.Connection, request: Request) -> bytes:
    """Return a request as the bytes to send on a connection."""
    headers = [("Host", "lpad"), ("Accept", "*/*"), *request.headers.items()]
    if request.body or request.method in ("POST", "PUT", "PATCH"):
        headers.append(("Content-Length", str(len(request.body))))
    head = h11.Request(method=request.method, target=request.target, headers=headers)
    parts = [head, *([h11.Data(data=request.body)] if request.body else []), h11.EndOfMessage()]
    return b"".join(http.send(part) or b"" for part in parts)


class HttpSocket:
    """A connection that carries one request after another."""

    def __init__(self, path: str, *, patience: float) -> None:
        """Connect to the socket at a path.

        Args:
            path: the socket.
            patience: seconds for connecting, and for the daemon to accept a request.

        Raises:
            CannotConnectError: nothing accepts connections there.
        """
        self._patience = patience
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=LARGEST_HEAD)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            self._socket.settimeout(patience)
            self._socket.connect(path)
        except OSError as error:
            self._socket.close()
            raise CannotConnectError(error.strerror or str(error)) from error

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    @property
    def usable(self) -> bool:
        """Whether another request may follow: the last answer was read, and the connection is open."""
        if self._http.our_state is not h11.IDLE:
            return False
        try:
            self._socket.setblocking(False)
            self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def send(self, request: Request, *, patience: float | None) -> int:
        """Send a request and return the answer's status; its body follows with `body`.

        Args:
            request: the request to send.
            patience: seconds without a byte of the answer; None: without limit.

        Raises:
            ConnectionBrokenError: the connection ends without an answer, or the answer is not HTTP.
            NoAnswerError: the daemon does not answer in time.
        """
        sent = encoded(self._http, request)
        self._socket.settimeout(self._patience)
        try:
            self._socket.sendall(sent)
        except TimeoutError as error:
            raise NoAnswerError("lpad did not accept the request in time") from error
        except OSError:
            pass  # the daemon may have answered with a refusal before it read the whole request
        while not isinstance(event := self._event(patience), h11.Response):
            pass  # skip an informational answer
        return event.status_code

    def body(self, *, patience: float | None) -> Iterator[bytes]:
        """Yield the body of the answer as it arrives.

        Raises:
            ConnectionBrokenError: the daemon closes the connection before the end of the answer.
            NoAnswerError: no byte arrives in time.
        """
        while not isinstance(event := self._event(patience), h11.EndOfMessage):
            if isinstance(event, h11.Data):
                yield bytes(event.data)
        with suppress(h11.LocalProtocolError):  # raised if the daemon closes the connection after this answer
            self._http.start_next_cycle()

    def _event(self, patience: float | None) -> h11.Event:
        """Return the next part of the answer."""
        try:
            while (event := self._http.next_event()) is h11.NEED_DATA:
                self._socket.settimeout(patience)
                self._http.receive_data(self._socket.recv(_AT_ONCE))
        except TimeoutError as error:
            raise NoAnswerError("no answer in time") from error
        except (OSError, h11.RemoteProtocolError) as error:
            raise ConnectionBrokenError(str(error)) from error
        if isinstance(event, h11.Event):
            return event
        raise ConnectionBrokenError("the daemon closed the connection")
