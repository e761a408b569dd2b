"""The engine: the API's only access to all cards, changes, notifications and events."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Protocol

from lpad.base.deadline import Deadline
from lpad.base.errors import Conflict, LpadError
from lpad.base.liveness import stuck
from lpad.engine.change.change import PauseReason
from lpad.engine.change.event_subscriptions import Hub
from lpad.engine.environment.clock_and_network import Environment
from lpad.engine.event_recording.event_recorder import Recorder
from lpad.engine.journal.write_retry import Recovery
from lpad.engine.lines.known_lines import KnownLines
from lpad.engine.lines.line_watch import LineWatch
from lpad.engine.listeners.listeners import Listeners
from lpad.engine.network_settings.settings_store import NetworkStore
from lpad.engine.outbox import Outbox
from lpad.engine.outbox.owed_cancellations import OwedCancellations
from lpad.engine.policy.install_policies_by_card import Policies
from lpad.engine.provisioning.platforms import Platforms
from lpad.engine.provisioning.wish_store import WishStore
from lpad.engine.running.change_store import ChangeStore
from lpad.engine.running.metric_counters import Counters
from lpad.engine.running.metric_gauges import Gauges
from lpad.engine.served_card_view import ServedCard
from lpad.engine.snapshot.trusted_issuers import card_trust
from lpad.engine.unattended.failovers_of_all_cards import Failovers
from lpad.engine.webhooks.webhooks import Webhooks
from lpad.engine.worker.card_ownership import CardOwnership
from lpad.engine.worker.submissions import Submissions
from lpad.engine.worker.worker import Worker
from lpad.engine.worker.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from lpad.base.server_address import ServerAddress
    from lpad.card.available_ports import Ports
    from lpad.engine.change.change import Change
    from lpad.engine.change.steady_clock import Moment
    from lpad.engine.journal import Journal, Retention
    from lpad.engine.journal.events.event_log import EventLog
    from lpad.engine.journal.file.writability import JournalHealth
    from lpad.engine.provisioning.wish_record import WishRecord
    from lpad.engine.running.card.card_with_open_link import CardPort
    from lpad.engine.running.operation_context import Timeouts
    from lpad.engine.snapshot.snapshot import Snapshot
    from lpad.network.network_settings import NetworkSettings
    from lpad.remote.es9plus import Es9Plus
    from lpad.remote.trust.anchor_named_by_card import CardTrust

    ConnectFor = Callable[[ServerAddress, CardTrust], AbstractContextManager[Es9Plus]]

log = logging.getLogger(__name__)

PATIENT = 60.0
"""Seconds beyond its deadline after which a thread counts as stuck."""

LISTING = 10.0
"""Seconds for pcscd to list its readers."""


class Part(Protocol):
    """A part of the engine with threads."""

    @property
    def alive(self) -> bool:
        """Whether a thread of the part runs."""

    def stop(self) -> None:
        """Begin to stop, without waiting for the end."""

    def join(self, *, deadline: Deadline) -> None:
        """Wait for the end."""


class Engine:
    """The daemon's functions, without the socket.

    Each function with a card's name raises NotFound if the settings name no such card.
    """

    def __init__(
        self,
        ports: Sequence[CardPort],
        *,
        journal: Journal,
        connect: ConnectFor,
        timeouts: Timeouts,
        counters: Counters | None = None,
        environment: Environment | None = None,
        policies: Policies | None = None,
        platforms: Platforms | None = None,
    ) -> None:
        """Create the parts and connect them; nothing is opened before `start`."""
        self.counters = counters or Counters()
        self._journal = journal
        self._hub = Hub()
        self._store = ChangeStore(journal, self._hub, self.counters)
        self.gauges = Gauges(self._store, journal, snapshots=self.snapshots)
        self._recorder = Recorder(journal, self._hub)
        self._recovery = Recovery(journal, self._hub, back=self._journal_back)
        self._connect_for = connect
        self._environment = environment or Environment()
        self._timeouts = timeouts
        self._outbox = Outbox(
            journal,
            self._hub,
            self._connect,
            patience=lambda: timeouts.delivery,
            on_delivered=self._delivered,
            environment=self._environment,
        )
        self._owed = OwedCancellations(journal, self._connect)
        self._networks = NetworkStore(journal.memos)
        self._wishes = WishStore(journal.memos)
        self.platforms = platforms or Platforms()
        self._lines = KnownLines(journal.memos, self._hub, now=self.now)
        self._workers = Workers(
            ports,
            partial(
                Worker,
                store=self._store,
                hub=self._hub,
                journal=journal,
                outbox=self._outbox,
                owed=self._owed,
                connect=self._connect,
                timeouts=timeouts,
                environment=self._environment,
                policies=policies or Policies(),
                ownership=CardOwnership(),
                networks=self._networks,
                wishes=self._wishes,
                platforms=self.platforms,
                lines=self._lines,
            ),
        )
        self._submissions = Submissions(
            self._workers,
            store=self._store,
            timeouts=timeouts,
            platforms=self.platforms,
            wish=lambda euicc: self.card(euicc).wish(),
        )
        self.submit = self._submissions.submit
        """Queues a change."""
        self.answer = self._submissions.answer
        """Answers a waiting change's question."""
        self.change = self._store.change
        """Returns a change."""
        self.changes = self._store.changes
        """Returns the stored changes."""
        self.under_way = self._store.active
        """Returns the changes that run or wait."""
        self.line = self._lines.get
        """Returns a platform's last report on the line of a profile."""
        self.line_cause = self._lines.cause
        """Returns why the network may not serve a profile."""
        self.subscribe = self._hub.subscribe
        """Listens to events."""
        self._store.eid_of = self._eid_of
        self._line_watch = LineWatch(
            self._lines,
            platforms=self.platforms,
            hub=self._hub,
            snapshots=self.snapshots,
            clock_set=lambda: self._environment.clock.is_set,
            now=self.now,
        )
        self.webhooks = Webhooks(journal, self._environment)
        """The endpoints to which events are sent."""
        self.listeners = Listeners(journal)
        """The programs on this device that listen to events under a name."""
        journal.events.awaited_by.append(lambda number, _type: self.listeners.awaits(number))
        self._failovers = Failovers(
            ports,
            worker=self._workers.of,
            store=self._store,
            hub=self._hub,
            submit=self.submit,
            lines=self._lines,
            wish=lambda euicc: self.card(euicc).wish(),
            cancel=partial(self.cancel, undo=False),
        )
        self._parts: tuple[Part, ...] = (
            self._workers,
            self._failovers,
            self._line_watch,
            self._outbox,
            self._owed,
            self.webhooks,
        )
        """The parts with threads that are stopped together."""

    def start(self) -> None:
        """Start the workers, which open the cards, and the other parts; returns immediately."""
        self._journal.start()
        self._recorder.start()
        self._end_orphans()
        self._environment.start(on_network=self.network_is_back, on_time=self._clock_was_set)
        self._workers.start()
        self._failovers.start()
        self._line_watch.begin()
        self._outbox.start()
        self.listeners.load()
        self.webhooks.start()

    def stop(self, *, deadline: Deadline) -> None:
        """Stop all parts at their next safe point; the next start settles unfinished changes."""
        self._environment.stop()
        self._recovery.stop()
        # Every part begins to stop before lpad waits for one of them, because a stuck part must not use up
        # the others' time.
        for part in self._parts:
            part.stop()
        for part in self._parts:
            part.join(deadline=deadline)
        self.listeners.close()
        # The journal ends last, because the other parts record data until their end.
        self._recorder.stop()
        self._recorder.join(deadline=deadline)
        if not any(part.alive for part in (*self._parts, self._recorder)):
            self._journal.close()

    @property
    def journal(self) -> JournalHealth:
        """The health of the journal; while the journal cannot be written, lpad alters no card."""
        return self._journal.health

    def now(self) -> Moment:
        """Return the present moment, for ages and due times."""
        return self._journal.clock.now()

    @property
    def clock_set(self) -> bool:
        """Whether the device knows the time; without the time, lpad contacts no server."""
        return self._environment.clock.is_set

    @property
    def alive(self) -> bool:
        """Whether every card has its worker, and its failover if the settings ask for one."""
        return self._workers.all_alive and self._failovers.all_alive

    @property
    def healthy(self) -> bool:
        """Whether the engine is `alive`, and no thread is stuck."""
        return self.alive and not stuck(grace=PATIENT)

    def snapshots(self) -> list[Snapshot]:
        """Return the last snapshots of all cards."""
        return self._workers.snapshots()

    def snapshot(self, euicc: str) -> Snapshot:
        """Return the last snapshot of one card."""
        return self._workers.of(euicc).snapshot

    def card(self, euicc: str) -> ServedCard:
        """Return lpad's record of one card: its state, its profiles and lpad's work for it."""
        return ServedCard(
            self._workers.of(euicc),
            outbox=self._outbox,
            copies=self._journal.notifications,
            networks=self._networks,
            wishes=self._wishes,
            failovers=self._failovers,
        )

    def read_again(self, euicc: str) -> None:
        """Have an idle worker read its card again, because a request does not fit the last reading."""
        self._workers.of(euicc).read_again()

    def set_network(self, euicc: str, iccid: str, settings: NetworkSettings) -> None:
        """Store the owner's network settings for a profile, even if the card does not contain it.

        Raises:
            NotFound: the settings name no such card.
            JournalUnavailable: the journal cannot be written.
        """
        self._workers.of(euicc)
        self._networks.put(iccid, settings)

    def clear_network(self, euicc: str, iccid: str) -> None:
        """Remove the owner's network settings for a profile; see `set_network`."""
        self._workers.of(euicc)
        self._networks.clear(iccid)

    def close_wish(self, euicc: str) -> WishRecord:
        """Close a card's wish at a user's request, and return it; see `Submissions.close_wish`."""
        record = self._submissions.close_wish(euicc, self._wishes)
        self._hub.publish("provisioning", {"phase": "closed", "platform": record.platform}, euicc=euicc)
        return record

    @property
    def last_event_id(self) -> str:
        """The ID of the latest event: as long as it stays the same, nothing has changed."""
        return self._hub.last_id

    def cancel(self, change_id: int, *, undo: bool = True) -> Change:
        """Cancel and return a change: immediately if it is queued or waits, else at its next safe point.

        Args:
            change_id: the change.
            undo: whether to undo the work that the change has begun elsewhere, such as an order at a
                platform.

        Raises:
            NotFound: there is no such change.
            Conflict: the change has ended.
        """
        change = self._store.change(change_id)
        worker = self._workers.holding(change)
        if change.state.ended or worker is None:
            raise Conflict(f"cannot cancel change {change_id}: it is {change.state}")
        worker.cancel(change_id, undo=undo)
        return self._store.change(change_id)

    def network_is_back(self) -> None:
        """Immediately retry all attempts that wait for servers."""
        _call_each(
            self._outbox.network_is_back,
            self._line_watch.network_is_back,
            self.webhooks.network_is_back,
            partial(self._workers.release, PauseReason.NETWORK),
        )

    def be_patient(self, timeouts: Timeouts) -> None:
        """Apply new time limits to all changes and attempts that begin from now on."""
        self._timeouts.become(timeouts)

    def keep_history(self, retention: Retention) -> None:
        """Apply new limits to the number and the age of stored changes."""
        self._journal.changes.retention = retention

    def keep_events(self, most: int, *, device: str | None) -> None:
        """Apply a new limit to the number of kept events, and a device name (None: a UUID)."""
        self._journal.events.most = most
        self._journal.events.device = device

    def become(self, ports: Sequence[CardPort]) -> None:
        """Serve the cards of new settings from now on; cards whose settings are unchanged stay open.

        A removed card is released: its running change is cancelled at the next safe point, and its other
        changes are ended.
        """
        self._submissions.become(ports)
        self._failovers.become(ports)
        self._line_watch.begin()

    @staticmethod
    def ports() -> Ports:
        """Return the existing serial ports and readers, even those that are not in the settings."""
        from lpad.card.available_ports import find_ports  # noqa: PLC0415 - rarely needed

        return find_ports(deadline=Deadline.after(LISTING))

    @property
    def events(self) -> EventLog:
        """The outbox of events, from which a listener can continue after a restart."""
        return self._journal.events

    def _clock_was_set(self) -> None:
        """Retry all attempts that waited for the clock."""
        _call_each(
            self._outbox.network_is_back,
            self.webhooks.wake,
            partial(self._workers.release, PauseReason.TIME),
        )

    def _end_orphans(self) -> None:
        """End the changes of cards that are no longer in the settings, if the journal can be read."""
        try:
            self._store.end_orphans(self._workers.by_name)
        except LpadError as error:
            log.warning("cannot end the changes of removed cards: %s (%s)", error, error.kind)

    def _journal_back(self) -> None:
        """Write the data not written before, and resume the changes that waited for the journal."""
        _call_each(
            self._store.catch_up,
            self._recorder.wake,
            self.webhooks.journal_is_back,
            self.listeners.load,
            self._end_orphans,
            self._workers.adopt,
            partial(self._workers.release, PauseReason.JOURNAL),
            self._outbox.wake,
        )

    def _eid_of(self, euicc: str) -> str | None:
        worker = self._workers.by_name.get(euicc)
        return None if worker is None else worker.snapshot.eid

    def _delivered(self, eid: str) -> None:
        self._workers.tidy(eid)

    def _connect(self, address: ServerAddress, eid: str) -> AbstractContextManager[Es9Plus]:
        return self._connect_for(address, card_trust(eid, self.snapshots()))


def _call_each(*acts: Callable[[], object]) -> None:
    """Call each function, even after an internal error in another."""
    for act in acts:
        try:
            act()
        except Exception:
            log.exception("internal-error")
