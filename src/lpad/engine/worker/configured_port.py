"""The port of a worker's card, which the operating system watches and changed settings can replace."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.engine.running.card.card_with_open_link import Card, CardPort
    from lpad.engine.worker.card_observer import Observer
    from lpad.engine.worker.connection_change_reports import ConnectionReports
    from lpad.engine.worker.presence import Presence
    from lpad.engine.worker.work_loop import WorkLoop

log = logging.getLogger(__name__)


class ServedPort:
    """The card's port according to the latest settings; the worker's thread applies these settings."""

    def __init__(
        self,
        card: Card,
        loop: WorkLoop,
        *,
        observer: Observer,
        presence: Presence,
        reports: ConnectionReports,
        port_free: Callable[[], None],
    ) -> None:
        """Create the object with the card's present port.

        Args:
            card: the worker's card.
            loop: the loop of the worker's thread, which new settings and the port's reports wake.
            observer: publishes the card's new port.
            presence: receives whether the port exists.
            reports: receives reports from the port and from the applier's program.
            port_free: called when the worker has released a port.
        """
        self._card = card
        self._loop = loop
        self._observer = observer
        self._presence = presence
        self._reports = reports
        self._port_free = port_free
        self._end_watch: Callable[[], None] | None = None
        self.port = card.port
        """The port according to the latest settings."""

    @property
    def is_new(self) -> bool:
        """Whether the latest settings have yet to be applied to the card."""
        return self.port is not self._card.port

    def become(self, port: CardPort) -> None:
        """Receive new settings, in any thread; the worker's thread applies them with `take_over`."""
        with self._loop.waking():
            self.port = port

    def take_over(self) -> None:
        """Use the new port from now on; reopen the card only if the port has changed."""
        with self._loop.lock:
            port = self.port
        if port.leads_where(self._card.port):
            self._card.port = port
            self._loop.guarded(self._reports.follow)
            return
        log.info("%s: reopened with the new settings: %s", port.name, port.transport)
        self.end_watch()
        self._card.give_back()
        self._card.port = port
        self._loop.guarded(self._reports.follow)
        self._observer.placed()
        self._port_free()
        self.watch()

    def watch(self) -> None:
        """Have the system report whether the port exists."""
        self._end_watch = self._card.port.watch(self._seen)
        with self._loop.lock:
            stopping = self._loop.stopping
        if stopping:  # a stop before the watch existed could not end it
            self._end_watch()

    def end_watch(self) -> None:
        """End the system's reports."""
        if self._end_watch is not None:
            self._end_watch()

    def _seen(self, there: bool) -> None:  # noqa: FBT001 - a callback's only argument
        """Receive, in the watch's thread, whether the port exists."""
        with self._loop.waking():
            self._presence.port_seen(there=there)
