"""The outbox: notifications are copied to the journal, delivered in order, and only then leave the card.

One thread sleeps until the next attempt is due, however long that is; a temporary thread serves each due
recipient, so that a recipient that does not answer blocks no other.
"""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from msgspec import Struct, field

from lpad.base.cancellation import Cancellation
from lpad.base.errors import Cancelled, Conflict, LpadError, NotFound
from lpad.base.liveness import resting, watched
from lpad.engine.outbox.delivery import BACKOFF, DeliveryRound
from lpad.engine.outbox.notification_events import tell
from lpad.engine.outbox.notification_retrieval import Collection
from lpad.engine.outbox.uncopied_notifications import UncopiedNotification

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import ExitStack

    from lpad.base.deadline import Deadline
    from lpad.base.server_address import ServerAddress
    from lpad.engine.change.event_subscriptions import Hub
    from lpad.engine.environment.clock_and_network import Environment
    from lpad.engine.journal import Journal, StoredNotification
    from lpad.engine.outbox.delivery import Connect
    from lpad.engine.outbox.kept_download_connections import KeptConnections
    from lpad.lpa.euicc import Euicc
    from lpad.lpa.notification_delivery import PendingNotification
    from lpad.remote.es9plus import Es9Plus

log = logging.getLogger(__name__)

SHORTEST_WAIT = 1.0
AT_ONCE = 8
"""The maximum number of recipients that are served at the same time."""
REST = 30.0
"""Seconds for which a recipient that was just tried is not tried again, even if the network seems to be
back."""


class Delivery(Struct, kw_only=True):
    """The result of an attempt: the number of accepted notifications, and each recipient's first error."""

    delivered: int = 0
    errors: dict[str, LpadError] = field(default_factory=dict)


class Outbox:
    """Keeps and delivers the notifications of all cards."""

    def __init__(
        self,
        journal: Journal,
        hub: Hub,
        connect: Connect,
        *,
        patience: Callable[[], float],
        on_delivered: Callable[[str], None],
        environment: Environment,
    ) -> None:
        """Create an outbox that sleeps until `start`.

        Args:
            connect: opens a connection to a recipient, on behalf of the card with an EID.
            patience: returns the seconds for one notification, which may change at any time.
            on_delivered: called with an EID, from any thread, when notifications may leave that card.
            environment: the clock, which must be set before anything is sent, and the servers' reachability.
        """
        self._journal = journal
        self._hub = hub
        self._connect = connect
        self._connections: KeptConnections | None = None
        self._patience = patience
        self._on_delivered = on_delivered
        self._clock = environment.clock
        self._reachability = environment.reachability
        self._collection = Collection(journal, hub, sends=lambda: self._clock.is_set)
        self._condition = threading.Condition()
        self._locks: dict[str, threading.Lock] = {}
        self._served: dict[str, threading.Thread] = {}
        self._visited: set[str] = set()
        self._troubled = False
        self._awake = True
        self._stopping = False
        self._stop = Cancellation()
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)

    def start(self) -> None:
        """Begin to deliver due notifications."""
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether a thread of the outbox runs."""
        with self._condition:
            threads = [self._thread, *self._served.values()]
        return any(thread.is_alive() for thread in threads)

    def stop(self) -> None:
        """Have the outbox end, without new attempts and without waiting for answers."""
        self._stop.cancel("lpad was stopped")
        with self._condition:
            self._stopping = True
            self._condition.notify_all()
        if self._connections is not None:
            self._connections.end()

    def join(self, *, deadline: Deadline) -> None:
        """Wait until the outbox has ended; running attempts have time until the deadline."""
        with self._condition:
            threads = [self._thread, *self._served.values()]
        for thread in threads:
            if thread.is_alive():
                thread.join(deadline.remaining())

    def wake(self) -> None:
        """Check for due notifications now."""
        with self._condition:
            self._awake = True
            self._condition.notify_all()

    def expect_copies(self) -> None:
        """Check for due notifications within `SHORTEST_WAIT`, because the worker is about to copy more.

        The notifications for one server are then sent together, as soon as the worker wakes the outbox.
        """
        self._notify()

    def expect_download(self) -> KeptConnections:
        """Prepare to keep a download's connection open; return the kept connections."""
        from lpad.engine.outbox.kept_download_connections import KeptConnections  # noqa: PLC0415 - only a download needs it

        with self._condition:
            if self._connections is None:
                self._connections = KeptConnections(self._connect)
            kept, stopping = self._connections, self._stopping
        if stopping:
            kept.end()
        return kept

    def keep_connection(self, server: Es9Plus, eid: str, closing: ExitStack) -> None:
        """Keep a download's connection open for its notifications; see `KeptConnections.keep`."""
        self.expect_download().keep(server, eid, closing)
        self._notify()

    def collect(self, euicc: Euicc, eid: str, *, deadline: Deadline) -> int:
        """Copy new notifications, remove delivered ones, and return the number of new copies."""
        return self._collection.collect(euicc, eid, deadline=deadline)

    def remember_result(self, euicc: Euicc, notification: PendingNotification) -> None:
        """Let the next `collect` copy a notification that the card has just returned as an answer."""
        self._collection.remember_result(euicc, notification)

    def remember_beyond(self, euicc: Euicc, eid: str) -> None:
        """Remember an installation's result beyond its session; see `Collection.remember_beyond`."""
        self._collection.remember_beyond(euicc, eid)

    def keep_remembered(self, euicc: Euicc, eid: str) -> None:
        """Copy a remembered result now, unless `collect` has copied it; see `Collection.keep_remembered`."""
        self._collection.keep_remembered(euicc, eid)

    def take_off(self, euicc: Euicc, eid: str, *, deadline: Deadline) -> bool:
        """Remove delivered notifications from the card; return whether all were removed."""
        return self._collection.take_off(euicc, eid, deadline=deadline)

    @contextmanager
    def visiting(self, eid: str) -> Iterator[None]:
        """Record, while the block runs, that an open session will remove accepted notifications."""
        with self._condition:
            self._visited.add(eid)
        try:
            yield
        finally:
            with self._condition:
                self._visited.discard(eid)

    def has_due(self, eid: str) -> bool:
        """Return whether one of a card's notifications is to be sent now, or is being sent."""
        return bool(self._due(eid))

    def tidy(self, eid: str) -> None:
        """Have the card's worker copy or remove notifications when it is idle."""
        self._on_delivered(eid)

    def deliver(
        self,
        *,
        eid: str | None = None,
        connection: tuple[ServerAddress, Es9Plus] | None = None,
        interruption: Cancellation | None = None,
    ) -> Delivery:
        """Deliver due notifications, in ascending order per recipient, to all recipients at the same time.

        An unreachable recipient keeps its queue for the next attempt. A recipient that refuses a
        notification still gets the later ones: they are sent in order, and a server that never accepts one
        must not block the others.

        Args:
            eid: the card whose notifications are delivered; None: all cards.
            connection: an open connection; only the recipient that it leads to is served, in this thread.
            interruption: ends the wait, while deliveries continue; with `connection`, ends the delivery.

        Returns:
            The result; errors are also in the journal.

        Raises:
            JournalUnavailable: nothing can be sent without being written first.
            Cancelled: the delivery was interrupted.
        """
        delivery = Delivery()
        interruption = interruption or self._stop
        if connection is not None:
            self._serve(str(connection[0]), eid, delivery, connection, interruption)
            return delivery
        due = self._due(eid)
        left = set(due)

        def serve(address: str) -> None:
            self._guarded(address, eid, delivery, asked=True)
            with self._condition:
                left.discard(address)
                self._condition.notify_all()

        for address in due:
            threading.Thread(target=serve, args=(address,), name=f"outbox {address}", daemon=True).start()
        with interruption.waking(self._notify), self._condition, resting():
            # The wait is limited by the deadline of each notification.
            self._condition.wait_for(lambda: not left or interruption.cancelled)
        interruption.check()
        return delivery

    def _notify(self) -> None:
        with self._condition:
            self._condition.notify_all()

    def make_due(self, eid: str | None = None, *, address: str | None = None) -> None:
        """Make unsent notifications due now: of one card or of all cards, for one recipient or for all."""
        self._journal.notifications.make_due(at=self._journal.clock.now().steady, eid=eid, address=address)

    def network_is_back(self) -> None:
        """Make waiting notifications due now, except those for recipients that were just tried."""
        try:
            present = self._journal.clock.now().steady
            self._journal.notifications.make_due(at=present, idle_since=present - REST)
        except LpadError as error:
            log.debug("outbox: %s", error)
        self.wake()

    def copies(self, eid: str) -> list[StoredNotification]:
        """Return a card's notifications, in ascending order."""
        return self._journal.notifications.all(eid=eid)

    def uncopied(self, eid: str) -> list[UncopiedNotification]:
        """Return a card's notifications that could not be copied, in ascending order."""
        return self._collection.uncopied.of(eid)

    def unreadable(self, eid: str) -> int:
        """Return the number of entries of a card's list that cannot be read."""
        return self._collection.uncopied.unreadable(eid)

    def list_error(self, eid: str) -> str | None:
        """Return the reason why the last attempt to read a card's list failed; None if it did not fail."""
        return self._collection.uncopied.list_error(eid)

    def ask_again(self, eid: str) -> None:
        """Ask the card again, at its next reading, for the notifications that could not be copied."""
        self._collection.uncopied.wake(eid)

    def last_number(self, eid: str) -> int:
        """Return the highest known number of a card's notifications; -1 if none is known."""
        return max((stored.seq for stored in self.copies(eid)), default=-1)

    def find(self, eid: str, seq: int) -> StoredNotification | UncopiedNotification:
        """Return a card's notification by its number.

        Raises:
            NotFound: there is no such notification.
        """
        for stored in self.copies(eid):
            if stored.seq == seq:
                return stored
        uncopied = self._collection.uncopied.find(eid, seq)
        if uncopied is not None:
            return uncopied
        raise NotFound(
            f"the outbox has no notification {seq} of this card; 'lpactl notifications' lists the known ones"
        )

    def retry(self, eid: str, seq: int) -> StoredNotification:
        """Make a waiting or set-aside notification due, and return it.

        Raises:
            NotFound: there is no notification with this number.
            Conflict: the notification was already delivered or dropped, or cannot be copied from the card.
        """
        stored = self.find(eid, seq)
        if isinstance(stored, UncopiedNotification):
            raise Conflict(
                f"cannot send notification {seq}: it cannot be copied from the card ({stored.error}); drop it"
                " if its server does not need it"
            )
        if stored.removable:
            raise Conflict(f"cannot send notification {seq}: it is already {stored.stage}")
        self._journal.notifications.retry(stored.id, at=self._journal.clock.now().steady)
        tell(self._hub, "retried", stored)
        return stored

    def drop(
        self, euicc: Euicc, eid: str, seq: int, *, deadline: Deadline
    ) -> StoredNotification | UncopiedNotification:
        """Drop and return an unaccepted notification, and remove it from the card.

        Raises:
            NotFound: there is no notification with this number.
            CardError: the card refuses, or cannot be reached; lpad removes the notification later.
        """
        stored = self.find(eid, seq)
        if isinstance(stored, UncopiedNotification):
            self._collection.remove_uncopied(euicc, eid, stored, deadline=deadline)
            return stored
        if not stored.removable:
            self._journal.notifications.mark_dropped(stored.id)
            tell(self._hub, "dropped", stored)
        self._collection.remove(euicc, stored, deadline=deadline)
        return stored

    def _run(self) -> None:
        with watched("the outbox"):
            self._work()

    def _work(self) -> None:
        while True:
            with self._condition:
                is_due = False
                # The wait is computed again after each round, because a failed notification is not due yet.
                while not (self._awake or self._stopping or is_due):
                    seconds = self._until_next()
                    with resting():
                        is_due = not self._condition.wait(seconds)
                self._awake = False
                if self._stopping:
                    return
            self._troubled = False
            try:
                if self._connections is not None:
                    self._connections.close_old()
                self._begin_rounds()
            except LpadError as error:
                self._troubled = True
                log.warning("outbox: %s (%s)", error, error.kind)
            except Exception:
                # Nothing may end this thread, because then notifications would never be sent.
                self._troubled = True
                log.exception("outbox: internal-error")

    def _begin_rounds(self) -> None:
        """Start a thread for each recipient that is due and not being served."""
        if not self._clock.is_set:
            self._clock.await_set()  # TLS would fail; this thread is woken when the clock is set
            return
        for address in self._due(None):
            with self._condition:
                if self._stopping or len(self._served) >= AT_ONCE:
                    return
                if address in self._served:
                    continue
                thread = threading.Thread(
                    target=self._round, args=(address,), name=f"outbox {address}", daemon=True
                )
                thread.start()  # the thread waits for this lock before it removes itself from `_served`
                self._served[address] = thread

    def _round(self, address: str) -> None:
        self._guarded(address, None, Delivery())
        with self._condition:
            self._served.pop(address, None)
            self._awake = (
                self._awake or not self._troubled
            )  # other recipients may have waited for a free thread
            self._condition.notify_all()

    def _guarded(self, address: str, eid: str | None, delivery: Delivery, *, asked: bool = False) -> None:
        try:
            with watched(f"the outbox to {address}"):
                self._serve(address, eid, delivery, asked=asked)
        except Cancelled:
            log.debug("outbox: %s: lpad is stopping", address)
        except LpadError as error:
            self._troubled = True
            delivery.errors.setdefault(address, error)
            log.warning("outbox: %s: %s (%s)", address, error, error.kind)
        except Exception:
            self._troubled = True
            log.exception("outbox: internal-error")

    def _serve(
        self,
        address: str,
        eid: str | None,
        delivery: Delivery,
        connection: tuple[ServerAddress, Es9Plus] | None = None,
        interruption: Cancellation | None = None,
        *,
        asked: bool = False,
    ) -> None:
        """Send a recipient its due notifications, card by card.

        With `asked`, lpad also sends the notifications that have just failed.
        """
        lock = self._lock_of(address)
        with resting():
            lock.acquire()
        try:
            # An attempt in progress at the time of the request may have failed since, and would not be due.
            if asked:
                self.make_due(eid, address=address)
            # The queue is read only now, because another thread may have served this recipient meanwhile.
            queues: dict[str, list[StoredNotification]] = {}
            for stored in self._due(eid).get(address, ()):
                queues.setdefault(stored.eid, []).append(stored)
            for card, queue in queues.items():
                if self._stopping:
                    return
                one = DeliveryRound(
                    self._journal,
                    self._hub,
                    self._connect if self._connections is None else self._connections.open,
                    patience=self._patience(),
                    reachability=self._reachability,
                    interruption=interruption or self._stop,
                    removed_next=connection is not None or card in self._visited,
                )
                try:
                    one.run(queue, connection)
                finally:
                    with self._condition:
                        delivery.delivered += one.delivered
                    if one.error is not None:
                        delivery.errors.setdefault(address, one.error)
                    if one.delivered and connection is None:
                        self._on_delivered(card)
        finally:
            lock.release()

    def _lock_of(self, address: str) -> threading.Lock:
        with self._condition:
            return self._locks.setdefault(address, threading.Lock())

    def _until_next(self) -> float | None:
        """Return the seconds until there is something to send or a connection to close; None: nothing."""
        kept = self._connections
        moments = (self._until_due(), None if kept is None else kept.seconds())
        return min((each for each in moments if each is not None), default=None)

    def _until_due(self) -> float | None:
        """Return the seconds until the next attempt; None while nothing can be sent."""
        if len(self._served) >= AT_ONCE or not self._clock.is_set:
            return None
        shortest = BACKOFF.seconds[0] if self._troubled else SHORTEST_WAIT
        try:
            waiting = [each for each in self._unsent(None) if each.address not in self._served]
        except LpadError:
            return BACKOFF.seconds[0]
        except Exception:  # nothing may end the thread
            log.exception("outbox: internal-error")
            return BACKOFF.seconds[0]
        if not waiting:
            return None
        first = min(stored.next_attempt_at for stored in waiting)
        return max(shortest, self._journal.clock.now().until(first, longest=BACKOFF.longest))

    def _unsent(self, eid: str | None) -> list[StoredNotification]:
        return [stored for stored in self._journal.notifications.all(eid=eid) if stored.unsent]

    def _due(self, eid: str | None) -> dict[str, list[StoredNotification]]:
        present = self._journal.clock.now().steady
        queues: dict[str, list[StoredNotification]] = {}
        held: set[tuple[str, str]] = set()
        for stored in self._unsent(eid):
            way = (stored.eid, stored.address)
            if present < stored.next_attempt_at < present + BACKOFF.longest + 60:
                if not stored.refusals:
                    held.add(way)  # later notifications must not overtake this one
            elif way not in held:
                queues.setdefault(stored.address, []).append(stored)
        return queues
