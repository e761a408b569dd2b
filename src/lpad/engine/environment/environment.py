"""What the device around lpad provides, or doesn't yet: the time, and a network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.engine.environment.clock import Clock
from lpad.engine.environment.connectivity import Connectivity

if TYPE_CHECKING:
    from collections.abc import Callable

    WatchNetwork = Callable[[Callable[[], None]], Callable[[], None]]


class Environment:
    """The clock and the network, and who is told when they come."""

    def __init__(self, *, clock: Clock | None = None, watch_network: WatchNetwork | None = None) -> None:
        """Bring them together.

        Args:
            clock: the device's.
            watch_network: tells, from another thread, of new ways out, and returns what ends that; None:
                servers that were away are tried now and then.
        """
        self.clock = clock or Clock()
        self.connectivity = Connectivity()
        self._watch_network = watch_network
        self._end_watch: Callable[[], None] | None = None

    def start(self, *, on_network: Callable[[], None], on_time: Callable[[], None]) -> None:
        """Tell, from any thread, when it is worth trying again, and when the clock was set."""
        self.connectivity.watch(on_network)
        self.clock.watch(on_time)
        if self._watch_network is not None:
            self._end_watch = self._watch_network(self.connectivity.news)

    def stop(self) -> None:
        """Tell no more."""
        if self._end_watch is not None:
            self._end_watch()
        self.clock.stop()
