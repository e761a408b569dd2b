"""Connections of downloads, kept open for a short time for the notifications of the installation."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lpad.base.frozen import Frozen

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import ExitStack

    from lpad.base.server_address import ServerAddress
    from lpad.engine.outbox.delivery import Connect
    from lpad.remote.es9plus import Es9Plus

KEPT = 5.0
"""Seconds for which a connection stays open; the notifications usually need less than one second."""


class _Kept(Frozen):
    """An open connection, the stack that closes it, and the monotonic time until which it is kept."""

    server: Es9Plus
    closing: ExitStack
    until: float


class KeptConnections:
    """At most one connection for each server and card; thread-safe.

    A connection in use is not available to others, because two threads must not share one.
    """

    def __init__(self, connect: Connect) -> None:
        """Create an empty store.

        Args:
            connect: opens a connection to a server, on behalf of the card with an EID.
        """
        self._connect = connect
        self._lock = threading.Lock()
        self._kept: dict[tuple[ServerAddress, str], _Kept] = {}
        self._ended = False

    def keep(self, server: Es9Plus, eid: str, closing: ExitStack) -> None:
        """Keep an open connection, which `open` then yields.

        Args:
            server: the open connection.
            eid: EID of the card on whose behalf it was opened.
            closing: the stack that closes the connection.
        """
        self._put((server.address, eid), _Kept(server, closing, time.monotonic() + KEPT))

    @contextmanager
    def open(self, address: ServerAddress, eid: str) -> Iterator[Es9Plus]:
        """Yield the kept connection to a server, or else a new one, which is closed afterwards.

        A kept connection stays open after the block, unless the block raises an error.

        Raises:
            LpadError: the connection cannot be opened, or the block raises this error.
        """
        kept = self._take((address, eid))
        if kept is None:
            with self._connect(address, eid) as server:
                yield server
            return
        with kept.closing as closing:
            yield kept.server
            self._put((address, eid), _Kept(kept.server, closing.pop_all(), kept.until))

    def seconds(self) -> float | None:
        """Return the seconds until a kept connection is due to be closed; None if none is kept."""
        with self._lock:
            first = min((each.until for each in self._kept.values()), default=None)
        return None if first is None else max(0.0, first - time.monotonic())

    def close_old(self) -> None:
        """Close the connections that were kept long enough."""
        present = time.monotonic()
        with self._lock:
            old = [key for key, each in self._kept.items() if each.until <= present]
            closed = [self._kept.pop(key) for key in old]
        for each in closed:
            each.closing.close()

    def end(self) -> None:
        """Close all connections, and keep no more."""
        with self._lock:
            self._ended = True
            closed = list(self._kept.values())
            self._kept.clear()
        for each in closed:
            each.closing.close()

    def _take(self, key: tuple[ServerAddress, str]) -> _Kept | None:
        self.close_old()
        with self._lock:
            return self._kept.pop(key, None)

    def _put(self, key: tuple[ServerAddress, str], kept: _Kept) -> None:
        with self._lock:
            surplus = kept if self._ended else self._kept.pop(key, None)
            if not self._ended:
                self._kept[key] = kept
        if surplus is not None:
            surplus.closing.close()
