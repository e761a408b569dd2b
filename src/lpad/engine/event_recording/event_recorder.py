"""The recorder: writes the events that follow from the hub's events into the outbox, in its own thread.

A publisher never waits for the disk. If the power fails before a state is written, the recorder observes the
state again after the restart, and writes the event then.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from typing import TYPE_CHECKING

import msgspec

from lpad.base.liveness import resting, watched
from lpad.engine.change.event_subscriptions import Event as HubEvent
from lpad.engine.events import state_events

if TYPE_CHECKING:
    from lpad.base.deadline import Deadline
    from lpad.engine.change.event_subscriptions import Hub
    from lpad.engine.events.happening import Happening
    from lpad.engine.journal import Journal

log = logging.getLogger(__name__)

_TOGETHER = 0.25
"""Seconds for which droppable happenings wait for a change's transaction."""


class Recorder:
    """Passes the happenings that follow from the hub's events to the journal."""

    def __init__(self, journal: Journal, hub: Hub) -> None:
        """Begin to collect happenings; they are written from `start` on."""
        self._journal = journal
        self._waiting: deque[Happening] = deque()
        self._condition = threading.Condition()
        self._awake = True
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)
        hub.on_event = self.take

    def start(self) -> None:
        """Begin to write; a repair that no event has reported yet becomes an event."""
        repairs = msgspec.to_builtins(self._journal.health.repairs)
        self.take(HubEvent(id="", type="journal", euicc=None, change=None, data={"repairs": list(repairs)}))
        self._thread.start()

    def stop(self) -> None:
        """Begin to stop; all collected happenings are written first."""
        with self._condition:
            self._stopping = True
            self._condition.notify_all()

    def join(self, *, deadline: Deadline) -> None:
        """Wait for the end."""
        if self._thread.is_alive():
            self._thread.join(deadline.remaining())

    @property
    def alive(self) -> bool:
        """Whether the recorder's thread runs."""
        return self._thread.is_alive()

    def take(self, event: HubEvent) -> None:
        """Collect the happenings of a hub's event; return immediately and never raise."""
        try:
            found = state_events.happenings(event)
        except Exception:
            log.exception("an event of the type '%s': internal-error", event.type)
            return
        if found:
            with self._condition:
                self._waiting.extend(found)
                self._condition.notify_all()

    def wake(self) -> None:
        """Have the thread write the events that could not be written before."""
        with self._condition:
            self._awake = True
            self._condition.notify_all()

    def _run(self) -> None:
        with watched("the recorder of events"):
            while True:
                with self._condition:
                    while not (self._waiting or self._awake or self._stopping):
                        with resting():
                            self._condition.wait()
                    found, self._awake = list(self._waiting), False
                    self._waiting.clear()
                    stopping = self._stopping
                if found and not stopping and all(each.type.droppable for each in found):
                    self._leave_to_change(found)
                    found = []
                if found or self._journal.events.unwritten:
                    self._write(found)
                if stopping:
                    return

    def _leave_to_change(self, found: list[Happening]) -> None:
        """Let a change that is about to end write droppable events; `unwritten` shows whether any are left.

        Layers change while a switch ends, so the transaction of the switch can write the layers' events, too.
        """
        self._journal.events.postpone(found)
        with self._condition:
            self._condition.wait_for(lambda: self._stopping, _TOGETHER)

    def _write(self, found: list[Happening]) -> None:
        try:
            self._journal.events.record(found)
        except Exception:
            log.exception("events: internal-error")
