"""The outbox: notifications are copied to the journal, delivered in order, and only then leave the card.

One thread for all cards. It sleeps until the next attempt is due, however long that is.
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lpad.deadline import Deadline
from lpad.errors import InvalidValue, LpadError, ServerRefused
from lpad.identifiers import Iccid
from lpad.lpa import notification_delivery
from lpad.lpa.notification_delivery import PendingNotification

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from lpad.engine.events import Hub
    from lpad.engine.journal import Journal, StoredNotification
    from lpad.lpa.euicc import Euicc
    from lpad.remote.es9plus import Es9Plus
    from lpad.server_address import ServerAddress

    Connect = Callable[[ServerAddress, str], AbstractContextManager[Es9Plus]]

log = logging.getLogger(__name__)

BACKOFF = (60, 300, 900, 3600, 3 * 3600, 6 * 3600, 12 * 3600, 24 * 3600)
"""Seconds until the next attempt, by the number of those that failed; the last one stays."""


SHORTEST_WAIT = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What came of an attempt: how many were accepted, and the first error of each recipient."""

    delivered: int
    errors: dict[str, LpadError]


class Outbox:
    """Keeps and delivers the notifications of all cards."""

    def __init__(
        self,
        journal: Journal,
        hub: Hub,
        connect: Connect,
        *,
        patience: float,
        on_delivered: Callable[[str], None],
    ) -> None:
        """Make an outbox that sleeps until `start`.

        Args:
            journal: keeps the copies.
            hub: is told of what happens to them.
            connect: opens a connection to a recipient, on behalf of the card with an EID.
            patience: seconds for one recipient's attempt.
            on_delivered: called with an EID, from any thread, when notifications may leave that card.
        """
        self._journal = journal
        self._hub = hub
        self._connect = connect
        self._patience = patience
        self._on_delivered = on_delivered
        self._condition = threading.Condition()
        self._sending: dict[str, threading.Lock] = {}
        self._awake = True
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)

    def start(self) -> None:
        """Begin to deliver what is due."""
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether its thread runs."""
        return self._thread.is_alive()

    def stop(self, *, deadline: Deadline) -> None:
        """End; an attempt under way is given until the deadline."""
        with self._condition:
            self._stopping = True
            self._condition.notify_all()
        if self._thread.is_alive():
            self._thread.join(deadline.remaining())

    def wake(self) -> None:
        """Look for due notifications now."""
        with self._condition:
            self._awake = True
            self._condition.notify_all()

    def collect(self, euicc: Euicc, eid: str, *, deadline: Deadline) -> int:
        """Copy a card's new notifications into the journal and take the delivered ones off the card.

        Args:
            euicc: an open ISD-R.
            eid: the card's EID.
            deadline: when to give up.

        Returns:
            How many were new.

        Raises:
            CardError: the card can't be read; copies made so far are kept.
        """
        known = {stored.seq: stored for stored in self._journal.notifications.all(eid=eid)}
        listed = euicc.list_notification(deadline=deadline)
        new = 0
        for entry in listed:
            stored = known.pop(entry.sequence_number, None)
            if stored is None or not _same(stored, entry.iccid, entry.address):
                new += self._copy(euicc, eid, entry.sequence_number, deadline=deadline)
            elif stored.removable:
                self._remove(euicc, stored, deadline=deadline)
        for stored in known.values():
            # Gone from the card by another hand. What was not delivered still goes out.
            if stored.removable:
                self._journal.notifications.drop(stored.id)
        return new

    def keep(self, eid: str, notification: PendingNotification) -> bool:
        """Copy a notification into the journal, such as an installation's result; True when it is new."""
        return self._journal.notifications.keep(
            eid=eid,
            seq=notification.sequence_number,
            event=notification.event,
            address=_tidy(notification),
            iccid=str(notification.iccid) if notification.iccid else None,
            raw=notification.payload,
            at=time.time(),
        )

    def take_off(self, euicc: Euicc, eid: str, *, deadline: Deadline) -> None:
        """Take the delivered notifications off the card, right after `collect` has seen them there.

        Raises:
            CardError: the card refuses or can't be reached; they are taken off another time.
        """
        for stored in self._journal.notifications.all(eid=eid):
            if stored.removable:
                self._remove(euicc, stored, deadline=deadline)

    def deliver(
        self, *, eid: str | None = None, connection: tuple[ServerAddress, Es9Plus] | None = None
    ) -> Delivery:
        """Deliver what is due, in ascending order per recipient; no recipient holds up another.

        A recipient that can't be reached keeps its queue for the next attempt. One that refuses a
        notification is still sent the later ones: order means that they are sent in order, and a
        server that will never take one must not bury the rest with it.

        Args:
            eid: only this card's.
            connection: an open connection; only the recipient that it leads to is served.

        Returns:
            What came of it; errors are in the journal as well.
        """
        delivered = 0
        errors: dict[str, LpadError] = {}
        for address in self._due(eid):
            if connection is not None and address != str(connection[0]):
                continue
            with self._lock_of(address):
                # Read again: another thread may have served this recipient meanwhile.
                queue = self._due(eid).get(address)
                if queue is None:
                    continue
                count, error = self._deliver_to(queue, connection)
            delivered += count
            if error is not None:
                errors[address] = error
        return Delivery(delivered=delivered, errors=errors)

    def make_due(self, eid: str) -> None:
        """Forget a card's waiting times: the next delivery tries everything."""
        self._journal.notifications.make_due(at=time.time(), eid=eid)

    def _lock_of(self, address: str) -> threading.Lock:
        with self._condition:
            return self._sending.setdefault(address, threading.Lock())

    def _run(self) -> None:
        shortest = SHORTEST_WAIT
        while True:
            with self._condition:
                if not self._awake and not self._stopping:
                    self._condition.wait(self._until_due(shortest))
                self._awake = False
                if self._stopping:
                    return
            shortest = BACKOFF[0]
            try:
                eids = {stored.eid for stored in self._journal.notifications.all() if stored.unsent}
                for eid in sorted(eids):
                    if self.deliver(eid=eid).delivered:
                        self._on_delivered(eid)
                shortest = SHORTEST_WAIT
            except LpadError as error:
                log.warning("outbox: %s (%s)", error, error.kind)
            except Exception:
                # Nothing may end this thread: the notifications would stay for ever.
                log.exception("outbox: internal-error")

    def _until_due(self, shortest: float) -> float | None:
        """Return the seconds until the next attempt, None while there is nothing to send."""
        try:
            waiting = self._undelivered(None)
        except LpadError:
            return BACKOFF[-1]
        if not waiting:
            return None
        # A clock that was set back, as on boards without a battery, must not delay for years.
        first = min(stored.next_attempt_at for stored in waiting)
        return min(max(shortest, first - time.time()), BACKOFF[-1])

    def _undelivered(self, eid: str | None) -> list[StoredNotification]:
        return [stored for stored in self._journal.notifications.all(eid=eid) if stored.unsent]

    def _due(self, eid: str | None) -> dict[str, list[StoredNotification]]:
        present = time.time()
        queues: dict[str, list[StoredNotification]] = {}
        for stored in self._undelivered(eid):
            if not present < stored.next_attempt_at < present + BACKOFF[-1] + 60:
                queues.setdefault(stored.address, []).append(stored)
        return queues

    def _deliver_to(
        self, queue: list[StoredNotification], connection: tuple[ServerAddress, Es9Plus] | None
    ) -> tuple[int, LpadError | None]:
        delivered = 0
        first_error: LpadError | None = None
        left = list(queue)
        try:
            recipient = _pending(queue[0]).recipient
            opened: AbstractContextManager[Es9Plus]
            if connection is not None and connection[0] == recipient:
                opened = nullcontext(connection[1])
            else:
                opened = self._connect(recipient, queue[0].eid)
            with opened as server:
                while left:
                    try:
                        deadline = Deadline.after(self._patience)
                        self._journal.notifications.mark_sending(left[0].id, at=time.time())
                        notification_delivery.deliver(_pending(left[0]), server, deadline=deadline)
                    except ServerRefused as error:
                        self._failed(left[:1], error)
                        first_error = first_error or error
                    else:
                        delivered += 1
                        self._journal.notifications.mark_delivered(left[0].id)
                        self._tell("delivered", left[0])
                    left.pop(0)
        except LpadError as error:
            self._failed(left or queue[-1:], error)
            first_error = first_error or error
        return delivered, first_error

    def _failed(self, queue: list[StoredNotification], error: LpadError) -> None:
        """Note the failure of the first, for which all of its queue waits."""
        first = queue[0]
        wait = BACKOFF[min(first.attempts, len(BACKOFF) - 1)]
        self._journal.notifications.mark_failed(
            first.id,
            error=f"{error.kind}: {error.sentence}",
            next_attempt_at=time.time() + wait,
            postponed=[stored.id for stored in queue[1:]],
        )
        self._tell("failed", first, error=error.kind, next_attempt_in=wait)

    def _copy(self, euicc: Euicc, eid: str, seq: int, *, deadline: Deadline) -> int:
        copies = notification_delivery.retrieve(euicc, sequence_number=seq, deadline=deadline)
        return sum(self.keep(eid, pending) for pending in copies)

    def _remove(self, euicc: Euicc, stored: StoredNotification, *, deadline: Deadline) -> None:
        self._journal.notifications.mark_removing(stored.id)
        notification_delivery.remove(euicc, stored.seq, deadline=deadline)
        self._journal.notifications.drop(stored.id)
        self._tell("removed", stored)

    def _tell(self, what: str, stored: StoredNotification, **more: str | int) -> None:
        log.info(
            "notification %d (%s) for %s: %s%s",
            stored.seq,
            stored.event,
            stored.address,
            what,
            "".join(f" {name}={value}" for name, value in more.items()),
        )
        self._hub.publish(
            "notification",
            {
                "eid": stored.eid,
                "seq": stored.seq,
                "event": stored.event,
                "address": stored.address,
                "iccid": stored.iccid,
                "what": what,
                **more,
            },
        )


def _pending(stored: StoredNotification) -> PendingNotification:
    return PendingNotification(
        sequence_number=stored.seq,
        event=stored.event,
        address=stored.address,
        iccid=Iccid(stored.iccid) if stored.iccid else None,
        payload=stored.raw,
    )


def _tidy(pending: PendingNotification) -> str:
    """Return the recipient's address in one spelling, so that its queue is one queue."""
    try:
        return str(pending.recipient)
    except InvalidValue:
        return pending.address


def _same(stored: StoredNotification, iccid: Iccid | None, address: str) -> bool:
    """Whether the card's entry is the one that was copied; a card made anew counts from the start."""
    return stored.iccid == (str(iccid) if iccid else None) and stored.address in (
        address,
        _tidy(PendingNotification(stored.seq, stored.event, address, None, b"")),
    )
