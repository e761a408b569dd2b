"""A network with a long round trip: a relay that delays the bytes of both directions."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from contextlib import suppress
from typing import Self

_CHUNK = 65_536
_PATIENCE_WITH_THREAD = 10.0


class SlowNetwork:
    """A relay in front of a server while the `with` block runs.

    The relay accepts a connection immediately, like any local server. To make up for this, it delays the
    client's first bytes by the round trip that connecting takes on a real network.
    """

    def __init__(self, server: tuple[str, int], *, listen: tuple[str, int], round_trip: float) -> None:
        """Prepare a relay.

        Args:
            server: address and port of the server.
            listen: address and port of the relay; port 0 selects a free one.
            round_trip: seconds for a request of one packet and its answer.
        """
        self._server = server
        self._listen = listen
        self._round_trip = round_trip
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="slow-network", daemon=True)
        self._listener: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    def __enter__(self) -> Self:
        self._thread.start()
        started = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._relay, *self._listen), self._loop
        )
        self._listener = started.result(_PATIENCE_WITH_THREAD)
        return self

    def __exit__(self, *_exception: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(_PATIENCE_WITH_THREAD)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_PATIENCE_WITH_THREAD)
        self._loop.close()

    @property
    def port(self) -> int:
        """The relay's port."""
        assert self._listener is not None, "it listens"
        return int(self._listener.sockets[0].getsockname()[1])

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected_at = self._loop.time() + self._round_trip
        answers, to_server = await asyncio.open_connection(*self._server)
        ends = {writer, to_server}
        self._open |= ends
        try:
            await asyncio.gather(
                self._pass_on(reader, to_server, earliest=connected_at),
                self._pass_on(answers, writer, earliest=0.0),
            )
            await asyncio.sleep(self._round_trip)  # the time in which the last bytes arrive
        finally:
            for each in ends:
                each.close()
            self._open -= ends

    async def _pass_on(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, *, earliest: float
    ) -> None:
        """Pass on one direction's bytes half a round trip after the later of their arrival and `earliest`."""
        under_way: deque[bytes] = deque()
        with suppress(ConnectionError):
            while True:
                data = await source.read(_CHUNK)
                due = max(self._loop.time(), earliest) + self._round_trip / 2
                under_way.append(data)
                self._loop.call_at(due, _arrive, under_way, target)
                if not data:
                    return

    async def _end(self) -> None:
        assert self._listener is not None, "it listens"
        self._listener.close()
        others = [each for each in asyncio.all_tasks() if each is not asyncio.current_task()]
        for each in self._open:
            each.close()
        await asyncio.gather(*others)
        await asyncio.sleep(0)  # gives the closed connections time to end


def _arrive(under_way: deque[bytes], target: asyncio.StreamWriter) -> None:
    """Write the oldest bytes that are under way; empty bytes mark the end and close the connection.

    The event loop may swap calls that are due at the same time, so each call writes the oldest bytes.
    """
    data = under_way.popleft()
    if target.is_closing():
        return
    if data:
        target.write(data)
    else:
        target.close()
