"""One connection: the identity of the peer, and time limits for sending requests and reading answers.

The limits protect against runaway programs and half-open connections. Whatever one user does, lpad answers
the other users, its memory stays limited, and enough file descriptors remain for the card's port.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from lpad.api.request.peer import Peer
from lpad.api.request.problem import problem_response
from lpad.base.errors import RequestError, TooManyConnections

if TYPE_CHECKING:
    import asyncio
    import socket

    from lpad.base.errors import LpadError

MOST_CONNECTIONS = 256
"""The maximum number of open connections of one user."""
MOST_IN_ALL = 512
"""The maximum number of connections of all users. pyserial's select() cannot wait for a file descriptor
above 1023."""

LARGEST_HEAD = 16 * 1024
"""The maximum number of bytes of a request's line and headers."""

SPEAKING = 20.0
"""Seconds in which a complete request must arrive, counted from the connection or the first byte."""
LISTENING = 60.0
"""Seconds for which sent data, an answer or an event stream, may stay unread."""


class Connection(H11Protocol):
    """An HTTP/1.1 connection that knows its peer, and limits the times for requests and answers."""

    peer: Peer
    _speaking: asyncio.TimerHandle | None = None
    _listening: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn's own signature
        """Accept the peer, unless its user, or all users together, have too many connections."""
        super().connection_made(transport)
        self.peer = Peer.of(cast("socket.socket", transport.get_extra_info("socket")))
        self.app_state = {**self.app_state, "peer": self.peer}
        theirs = sum(
            isinstance(each, Connection) and each.peer.uid == self.peer.uid for each in self.connections
        )
        if theirs > MOST_CONNECTIONS or len(self.connections) > MOST_IN_ALL:
            transport.write(_TOO_MANY)
            transport.close()
        else:
            self._speaking = self.loop.call_later(SPEAKING, self._too_slow)

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the timers of the closed connection."""
        super().connection_lost(exc)
        self._unset_keepalive_if_required()
        self._end(self._speaking)
        self._end(self._listening)

    def data_received(self, data: bytes) -> None:
        """Receive a part of a request; start the time limit for the whole request, or end it."""
        if self.transport.is_closing():
            return
        super().data_received(data)
        if self.conn.their_state not in (h11.IDLE, h11.SEND_BODY):
            self._end(self._speaking)
            self._speaking = None
        elif self._speaking is None and not self.transport.is_closing():
            self._speaking = self.loop.call_later(SPEAKING, self._too_slow)

    def _should_upgrade(self) -> bool:
        """Refuse every upgrade from HTTP/1.1; otherwise uvicorn would log how to install WebSockets."""
        return False

    def send_400_response(self, msg: str) -> None:
        """Answer a request that is not valid HTTP or whose headers are too long, and close the connection."""
        problem = RequestError(
            f"this is not a valid HTTP/1.1 request, or its headers have more than {LARGEST_HEAD} bytes: {msg}"
        )
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.write(_raw(problem, 400, "Bad Request"))
        self.transport.close()

    def pause_writing(self) -> None:
        """Pause until the peer reads; abort the connection if the peer does not read in time."""
        super().pause_writing()
        self._end(self._listening)
        self._listening = self.loop.call_later(LISTENING, self.transport.abort)

    def resume_writing(self) -> None:
        """Continue to write, and cancel the time limit for reading."""
        super().resume_writing()
        self._end(self._listening)
        self._listening = None

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection.

        If a part of the last answer is unread, the connection is aborted after `LISTENING` seconds instead,
        unless the peer sends another request.
        """
        if self.transport.get_write_buffer_size():
            self.timeout_keep_alive_task = self.loop.call_later(LISTENING, self.transport.abort)
        else:
            super().timeout_keep_alive_handler()

    def _too_slow(self) -> None:
        self._speaking = None
        begun, _ = self.conn.trailing_data
        if self.conn.our_state is h11.IDLE and begun:
            slow = RequestError(f"the complete request did not arrive within {SPEAKING:.0f} seconds")
            self.transport.write(_raw(slow, 408, "Request Timeout"))
            self.transport.close()
        else:
            self.transport.abort()

    @staticmethod
    def _end(timer: asyncio.TimerHandle | None) -> None:
        if timer is not None:
            timer.cancel()


def _raw(error: LpadError, status: int, reason: str) -> bytes:
    problem = problem_response(error, status=status, headers={"Connection": "close"})
    head = b"".join(b"%b: %b\r\n" % header for header in problem.raw_headers)
    return b"HTTP/1.1 %d %b\r\n%b\r\n%b" % (status, reason.encode(), head, bytes(problem.body))


_TOO_MANY = _raw(
    TooManyConnections(
        f"this user has {MOST_CONNECTIONS} connections to lpad open, or all users together {MOST_IN_ALL};"
        " close some"
    ),
    503,
    "Service Unavailable",
)
