"""The device's services that lpad depends on: the time and a network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.engine.environment.server_retry_signal import ServerReachability
from lpad.engine.environment.wall_clock_validity import Clock

if TYPE_CHECKING:
    from collections.abc import Callable

    WatchNetwork = Callable[[Callable[[], None]], Callable[[], None]]


class Environment:
    """The clock and the network, with callbacks for the moment when each becomes available."""

    def __init__(self, *, clock: Clock | None = None, watch_network: WatchNetwork | None = None) -> None:
        """Create the environment; nothing is watched before `start`.

        Args:
            watch_network: begins to report new routes from another thread, and returns a function that ends
                the reports. None: unreachable servers are tried from time to time.
        """
        self.clock = clock or Clock()
        self.reachability = ServerReachability()
        self._watch_network = watch_network
        self._end_watch: Callable[[], None] | None = None

    def start(self, *, on_network: Callable[[], None], on_time: Callable[[], None]) -> None:
        """Have `on_network` called when servers may be reachable again, `on_time` when the clock is set."""
        self.reachability.watch(on_network)
        self.clock.watch(on_time)
        if self._watch_network is not None:
            self._end_watch = self._watch_network(self.reachability.news)

    def stop(self) -> None:
        """Stop watching the clock and the network."""
        if self._end_watch is not None:
            self._end_watch()
        self.clock.stop()
