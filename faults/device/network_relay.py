"""The network between daemon and server: a relay that can refuse, reset, stall and garble connections."""

from __future__ import annotations

import selectors
import socket
import struct
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from faults.injected.cut_kinds import Outage

if TYPE_CHECKING:
    from collections.abc import Callable

_CHUNK = 65_536
_RESETTING = struct.pack("ii", 1, 0)
_NO_TLS = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"
"""The answer of a plain HTTP server, or of a middlebox, to a TLS handshake."""
_PATIENCE = 10.0


class Network:
    """A relay in its own thread; use it in a `with` statement."""

    def __init__(self, host: str, target: tuple[str, int]) -> None:
        """Start the relay on a free port.

        Args:
            host: the loopback address to listen on.
            target: the server's address.
        """
        self._target = target
        self._listener: socket.socket | None = socket.create_server((host, 0), backlog=64)
        self.address: tuple[str, int] = self._listener.getsockname()[:2]
        self._outage: Outage | None = None
        self._pairs: dict[socket.socket, socket.socket] = {}
        self._daemons: set[socket.socket] = set()
        self._held: list[socket.socket] = []
        self._when_answered: Callable[[], None] | None = None
        self._wake, self._waker = socket.socketpair()
        self._asked: list[tuple[Callable[[], None], threading.Event]] = []
        self._ended = False
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._wake, selectors.EVENT_READ)
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, name="network", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._ask(self._end)
        self._thread.join(_PATIENCE)
        self._waker.close()

    def fail(self, outage: Outage) -> None:
        """Fail all existing and new connections until `come_back`."""
        self._ask(lambda: self._fail(outage))

    def cut(self) -> None:
        """Reset the existing connections."""
        self._ask(lambda: self._spoil_all(Outage.RESET))

    def come_back(self) -> None:
        """Let new connections through; stalled connections remain silent."""
        self._ask(self._come_back)

    def when_answered(self, act: Callable[[], None]) -> None:
        """Call a function once, as soon as the relay has passed the server's next bytes to the daemon."""
        self._when_answered = act

    def _ask(self, what: Callable[[], None]) -> None:
        done = threading.Event()
        self._asked.append((what, done))
        self._waker.send(b"!")
        assert done.wait(_PATIENCE), "the relay does not respond"

    # The following methods run in the relay's thread.

    def _run(self) -> None:
        while not self._ended:
            for key, _ in self._selector.select():
                ready = key.fileobj
                if ready is self._wake:
                    self._wake.recv(_CHUNK)
                elif ready is self._listener:
                    self._accept(self._listener)
                elif isinstance(ready, socket.socket) and ready in self._pairs:
                    self._carry(ready)
            while self._asked:
                what, done = self._asked.pop(0)
                what()
                done.set()

    def _accept(self, listener: socket.socket) -> None:
        daemon, _ = listener.accept()
        daemon.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._outage is not None:
            self._spoil(daemon, self._outage)
            return
        try:
            server = socket.create_connection(self._target, timeout=_PATIENCE)
        except OSError:
            _reset(daemon)
            return
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._pairs |= {daemon: server, server: daemon}
        self._daemons.add(daemon)
        for each in (daemon, server):
            self._selector.register(each, selectors.EVENT_READ)

    def _carry(self, source: socket.socket) -> None:
        target = self._pairs[source]
        try:
            data = source.recv(_CHUNK)
            if data:
                target.sendall(data)
        except OSError:
            data = b""
        if not data:
            for each in (source, target):
                self._forget(each)
                each.close()
            return
        if target in self._daemons and self._when_answered is not None:
            act, self._when_answered = self._when_answered, None
            act()

    def _forget(self, each: socket.socket) -> None:
        self._selector.unregister(each)
        self._pairs.pop(each, None)
        self._daemons.discard(each)

    def _fail(self, outage: Outage) -> None:
        self._outage = outage
        if outage is Outage.REFUSED and self._listener is not None:
            self._selector.unregister(self._listener)
            self._listener.close()
            self._listener = None
        self._spoil_all(outage)

    def _spoil_all(self, outage: Outage) -> None:
        for daemon in list(self._daemons):
            server = self._pairs[daemon]
            for each in (daemon, server):
                self._forget(each)
            self._spoil(daemon, outage)
            server.close()

    def _spoil(self, daemon: socket.socket, outage: Outage) -> None:
        if outage is Outage.STALLED:
            self._held.append(daemon)
            return
        if outage is Outage.TLS:
            with suppress(OSError):
                daemon.sendall(_NO_TLS)
            daemon.close()
            return
        _reset(daemon)

    def _come_back(self) -> None:
        self._outage = None
        if self._listener is None:
            self._listener = socket.create_server(self.address, backlog=64)
            self._selector.register(self._listener, selectors.EVENT_READ)

    def _end(self) -> None:
        self._ended = True
        for each in (*self._pairs, *self._held, self._listener, self._wake):
            if each is not None:
                each.close()
        self._selector.close()


def _reset(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESETTING)
    connection.close()
