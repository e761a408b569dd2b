"""The removal of delivered notifications from the card, while the worker has nothing else to do."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from lpad.base.deadline import Deadline
from lpad.base.errors import CardError
from lpad.base.liveness import resting

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.engine.outbox import Outbox
    from lpad.engine.running.card.card_with_open_link import Card
    from lpad.engine.running.operation_context import Timeouts
    from lpad.engine.worker.card_observer import Observer
    from lpad.engine.worker.work_loop import WorkLoop
    from lpad.lpa.euicc import Euicc

log = logging.getLogger(__name__)

ACCEPTED = 5.0
"""Seconds for which a session that has copied notifications waits until servers accept them, so that the
session can also remove them from the card. Any other work ends the session earlier."""


class NotificationRemoval:
    """Sessions that copy new notifications of one card to the outbox, and remove delivered ones."""

    def __init__(
        self,
        card: Card,
        loop: WorkLoop,
        *,
        observer: Observer,
        outbox: Outbox,
        timeouts: Timeouts,
        wanted: Callable[[], bool],
    ) -> None:
        """Create the object with nothing to do.

        Args:
            card: the worker's card.
            loop: the worker's thread, which is woken.
            observer: copies the notifications.
            outbox: delivers the notifications.
            timeouts: the time limits.
            wanted: returns whether there is other work; called with the lock held.
        """
        self._card = card
        self._loop = loop
        self._observer = observer
        self._outbox = outbox
        self._timeouts = timeouts
        self._wanted = wanted
        self._due_at: float | None = None

    @property
    def due_at(self) -> float | None:
        """When to open the card, in monotonic time; None: not planned. The caller must hold the lock."""
        return self._due_at if self._observer.ready else None

    def request(self) -> None:
        """Have the worker copy and remove notifications when it is idle."""
        with self._loop.waking():
            self._due_at = time.monotonic()

    def run(self) -> None:
        """Copy new notifications, and remove delivered ones from the card."""
        with self._loop.lock:
            self._due_at = None
        deadline = Deadline.after(self._timeouts.read)
        kept = self._card.resume_session()
        try:
            if kept is not None:
                with kept.closing:
                    self._visit(kept.euicc, kept.eid, deadline=deadline)
            else:
                with self._card.session(deadline=deadline) as euicc:
                    self._visit(euicc, str(euicc.get_eid(deadline=deadline)), deadline=deadline)
        except CardError as error:
            if kept is None:
                self._observer.absent(error)
            else:  # the modem was reset, or the card was replaced: read the card, and copy from it
                log.info("%s: %s", self._card.port.name, error)
                self._card.drop()
                self._observer.look(seconds=self._timeouts.open + self._timeouts.read)
        finally:
            self._outbox.wake()

    def _visit(self, euicc: Euicc, eid: str, *, deadline: Deadline) -> None:
        self._observer.collect(euicc, eid, deadline=deadline)
        while self._accepted_soon(eid):
            if not self._outbox.take_off(euicc, eid, deadline=deadline):
                self.request()  # another session handles the notifications that remain
                break

    def _accepted_soon(self, eid: str) -> bool:
        """Wait, while there is nothing else to do, until a server accepts one of a card's notifications.

        Return whether a server has accepted one; later ones are removed in another session.
        """
        if self._card.hold is not None:
            return False  # the owner of a borrowed port is waiting for the port
        seconds = ACCEPTED if self._outbox.has_due(eid) else 0.0
        lock = self._loop.lock
        with self._outbox.visiting(eid):
            self._outbox.wake()
            with lock, resting():
                lock.wait_for(lambda: self._due_at is not None or self._wanted(), seconds)
        with lock:
            if self._due_at is None or self._wanted():
                return False
            self._due_at = None
        return True
