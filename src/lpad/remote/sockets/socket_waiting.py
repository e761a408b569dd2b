"""Waiting for sockets: until a deadline, for a limited silence, or until a cancellation.

Sockets remain non-blocking. Only one poll(2) blocks, and a cancellation wakes it, too: the thread returns
within milliseconds, no matter which event the socket waits for.
"""

from __future__ import annotations

import math
import select
import ssl
from functools import partial
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping

    from lpad.base.deadline import Deadline

_T = TypeVar("_T")

READABLE = select.POLLIN
WRITABLE = select.POLLOUT

_ONE_WRITE = 16 * 1024
"""The maximum number of bytes passed to a socket in one call: a TLS record, so that progress is visible."""


class SilenceError(TimeoutError):
    """The other side has neither sent nor accepted a byte within the limit."""


class Waiting:
    """The time limits of one exchange."""

    def __init__(self, deadline: Deadline, *, silence: float | None = None) -> None:
        self.deadline = deadline
        self.silence = silence

    def check(self) -> None:
        """Check for a cancellation, at a point at which the exchange can be ended.

        Raises:
            Cancelled: the exchange was cancelled.
        """
        self.deadline.check()

    def step(self) -> Deadline:
        """Return the deadline for further progress, counted from now."""
        return self.deadline if self.silence is None else self.deadline.within(self.silence)

    def late(self) -> TimeoutError:
        """Return the error to raise when the time of a `step` has elapsed without progress."""
        return TimeoutError() if self.silence is None or self.deadline.passed else SilenceError()

    def poll(self, wanted: Mapping[int, int], *, until: Deadline) -> dict[int, int]:
        """Wait until at least one of the descriptors is ready.

        Returns:
            The ready descriptors, including those with errors; empty once `until` has passed.

        Raises:
            Cancelled: another thread ends the wait.
        """
        self.check()
        poll = select.poll()
        for descriptor, events in wanted.items():
            poll.register(descriptor, events)
        cancellation = self.deadline.cancellation
        if cancellation is not None:
            poll.register(cancellation.fileno(), READABLE)
        ready = dict(poll.poll(math.ceil(until.remaining() * 1000)))
        self.check()
        return ready

    def act(self, stream: socket.socket, act: Callable[[], _T], *, wants: int) -> _T:
        """Call `act` until it succeeds on a non-blocking socket, and return its result.

        Args:
            stream: plain, or under TLS.
            act: a function that raises BlockingIOError, or ssl's equivalents, until the socket is ready.
            wants: READABLE or WRITABLE, unless TLS reports which one it waits for.

        Raises:
            TimeoutError: the deadline has passed; SilenceError: there was no progress for too long.
            OSError: raised by `act`.
        """
        until = self.step()
        while True:
            self.check()
            if until.passed:
                raise self.late()
            try:
                return act()
            except ssl.SSLWantReadError:
                events = READABLE
            except ssl.SSLWantWriteError:
                events = WRITABLE
            except BlockingIOError:
                events = wants
            self.poll({stream.fileno(): events}, until=until)

    def receive(self, stream: socket.socket, most: int) -> bytes:
        """Return at most `most` bytes that have arrived; empty at the end of the stream.

        Raises:
            TimeoutError, OSError: as in `act`.
        """
        return self.act(stream, partial(stream.recv, most), wants=READABLE)

    def send(self, stream: socket.socket, data: bytes) -> None:
        """Send all of `data`.

        Raises:
            TimeoutError, OSError: as in `act`; each accepted portion is progress.
        """
        left = memoryview(data)
        while left:
            left = left[self.act(stream, partial(stream.send, left[:_ONE_WRITE]), wants=WRITABLE) :]

    def shake_hands(self, stream: ssl.SSLSocket) -> None:
        """Carry out the TLS handshake.

        Raises:
            TimeoutError, OSError: as in `act`, including ssl.SSLError.
        """
        self.act(stream, stream.do_handshake, wants=READABLE)
