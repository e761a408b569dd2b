"""Connecting to a name as RFC 8305 ("Happy Eyeballs") describes: its addresses race.

A name often has addresses that never answer, mostly IPv6 addresses in mobile networks. Each address gets a
quarter of a second before the next is tried in parallel, and the first that answers wins: a dead address
costs a quarter of a second, not the deadline.
"""

from __future__ import annotations

import errno
import os
import socket
import time
from contextlib import closing
from typing import TYPE_CHECKING

from lpad.base.deadline import Deadline
from lpad.base.frozen import Frozen
from lpad.remote.sockets import name_resolution
from lpad.remote.sockets.address_order import MEMORY
from lpad.remote.sockets.socket_waiting import READABLE, WRITABLE

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.remote.sockets.address_order import AddressOrder
    from lpad.remote.sockets.name_resolution import Address
    from lpad.remote.sockets.socket_waiting import Waiting

DELAY = 0.25
"""Seconds from one address to the next: "Connection Attempt Delay" (RFC 8305, 5)."""


class LookUpError(OSError):
    """The name was not resolved; `__cause__` contains the reason."""


class Connected(Frozen):
    """A connection: a non-blocking socket; `others`: whether the name has other usable addresses."""

    socket: socket.socket
    address: Address
    others: bool


def connect(
    host: str,
    port: int,
    *,
    waiting: Waiting,
    prepare: Callable[[socket.socket], None],
    interface: str | None = None,
    memory: AddressOrder = MEMORY,
) -> Connected:
    """Look a name up and connect to it.

    Args:
        host: a name, or an address.
        port: the TCP port.
        waiting: the time limit; the name server and the addresses get the time of one step each.
        prepare: a function called with each socket before it connects; may refuse by raising an error.
        interface: the interface that `prepare` chooses.
        memory: the order learned from earlier connections.

    Raises:
        LookUpError: the name has no address, or the name server does not answer.
        TimeoutError: no address answers in time.
        OSError: the connection to every address fails.
    """
    with closing(name_resolution.Resolution(host, port)) as names:
        race = _Race(names, waiting, prepare, interface, memory)
        try:
            return race.run()
        except OSError:
            name_resolution.forget(host, port)
            raise
        finally:
            race.close()


class _Race:
    def __init__(
        self,
        names: name_resolution.Resolution,
        waiting: Waiting,
        prepare: Callable[[socket.socket], None],
        interface: str | None,
        memory: AddressOrder,
    ) -> None:
        self._names = names
        self._waiting = waiting
        self._prepare = prepare
        self._interface = interface
        self._memory = memory
        self._known: list[Address] = []
        self._left: list[Address] = []
        self._racing: dict[int, tuple[socket.socket, Address]] = {}
        self._failure: OSError | None = None
        self._next_at = 0.0

    def run(self) -> Connected:
        until = self._waiting.step()
        while True:
            self._waiting.check()
            finished = self._names.finished  # before _take, during which an answer may arrive
            if self._take() and not self._racing and self._failure is None:
                until = self._waiting.step()  # the name server's time does not count
            if until.passed:
                raise self._late()
            if self._left and (not self._racing or time.monotonic() >= self._next_at):
                self._start(self._left.pop(0))
            elif self._racing or not self._names.finished:
                won = self._await(until)
                if won is not None:
                    return won
            elif finished:
                raise self._failure or TimeoutError()

    def close(self) -> None:
        for attempt, _ in self._racing.values():
            attempt.close()
        self._racing.clear()

    def _take(self) -> bool:
        """Add newly found addresses; return whether there are any."""
        try:
            new = self._names.take()
        except OSError as error:
            raise LookUpError from error
        if new:
            self._known += new
            self._left = self._memory.ordered([*self._left, *new], interface=self._interface)
        return bool(new)

    def _start(self, address: Address) -> None:
        self._next_at = time.monotonic() + DELAY
        try:
            attempt = socket.socket(address.family, address.kind | socket.SOCK_NONBLOCK, address.protocol)
        except OSError as error:
            self._failure = error
            return
        self._racing[attempt.fileno()] = attempt, address
        self._prepare(attempt)
        code = attempt.connect_ex(address.to)
        if code not in (0, errno.EINPROGRESS):
            self._lost(attempt.fileno(), code)

    def _await(self, until: Deadline) -> Connected | None:
        """Return a connection to the first address that answers; None: another event came first."""
        moments = [self._next_at] if self._left else []
        # Read once: the thread that asks the name server may set it to None at any moment.
        again_at = self._names.again_at
        if again_at is not None:
            moments.append(again_at)
        wanted = dict.fromkeys(self._racing, WRITABLE)
        ready = self._waiting.poll(
            {**wanted, self._names.bell.fileno(): READABLE}, until=Deadline(min(until.at, *moments, until.at))
        )
        for descriptor in ready.keys() & wanted.keys():
            attempt, address = self._racing[descriptor]
            code = attempt.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                self._lost(descriptor, code)
                continue
            del self._racing[descriptor]
            return self._won(attempt, address)
        return None

    def _won(self, attempt: socket.socket, address: Address) -> Connected:
        chosen = len({each.family for each in self._known}) > 1
        self._memory.connected(address, interface=self._interface, chosen=chosen)
        others = any(
            each != address and not self._memory.is_avoided(each.to, interface=self._interface)
            for each in self._known
        )
        return Connected(attempt, address, others)

    def _lost(self, descriptor: int, code: int) -> None:
        attempt, _ = self._racing.pop(descriptor)
        attempt.close()
        self._failure = OSError(code, os.strerror(code))
        self._next_at = 0.0

    def _late(self) -> OSError:
        late = self._waiting.late()
        if self._known:
            return self._failure or late
        error = LookUpError()
        error.__cause__ = late
        return error
