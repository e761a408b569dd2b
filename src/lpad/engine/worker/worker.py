"""The worker connects the parts that work with one card; one thread owns the card."""

from __future__ import annotations

import logging
import time
from functools import partial
from typing import TYPE_CHECKING

from lpad.base.errors import CardUnreachable
from lpad.engine.change.change import CALLER, Kind, PauseReason, State
from lpad.engine.discovery.smds_event_store import EventStore
from lpad.engine.network_settings.deleted_profile_leftovers import UnforgottenProfiles
from lpad.engine.network_settings.pending_switch import PendingSwitches
from lpad.engine.policy.going_offline import check_offline
from lpad.engine.recovery.interrupted_changes import Interrupted
from lpad.engine.running.card.block_size_trial import try_larger_blocks
from lpad.engine.running.card.card_with_open_link import Card
from lpad.engine.running.card.idle_registration_query import RegistrationQuery
from lpad.engine.running.card.last_seen_layers import LayerStates
from lpad.engine.running.card.modem_restart_limit import ModemRestartLimit
from lpad.engine.running.operation_context import Context
from lpad.engine.switch.network_settings_upkeep import (
    forget_again,
    look_after_report,
    look_at_connection,
    note_deleted,
    return_modem,
    settle_pending,
)
from lpad.engine.switch.registration_query import saw_registration
from lpad.engine.worker.card_change_reports import CardReports
from lpad.engine.worker.card_observer import Observer
from lpad.engine.worker.change_execution import Executor
from lpad.engine.worker.configured_port import ServedPort
from lpad.engine.worker.connection_change_reports import ConnectionReports
from lpad.engine.worker.due_tasks import DueTask, DueTasks
from lpad.engine.worker.hung_modem_restart import HungModem
from lpad.engine.worker.notification_removal import NotificationRemoval
from lpad.engine.worker.presence import Presence
from lpad.engine.worker.queue.change_queue import ChangeQueue
from lpad.engine.worker.unattended_change_starts import UnattendedChanges
from lpad.engine.worker.work_loop import Work, WorkLoop

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.base.deadline import Deadline
    from lpad.engine.change.event_subscriptions import Hub
    from lpad.engine.change.params import Params
    from lpad.engine.environment.clock_and_network import Environment
    from lpad.engine.journal import Journal
    from lpad.engine.lines.known_lines import KnownLines
    from lpad.engine.network_settings.settings_store import NetworkStore
    from lpad.engine.outbox import Outbox
    from lpad.engine.outbox.delivery import Connect
    from lpad.engine.outbox.owed_cancellations import OwedCancellations
    from lpad.engine.policy.install_policies_by_card import Policies
    from lpad.engine.provisioning.platforms import Platforms
    from lpad.engine.provisioning.wish_store import WishStore
    from lpad.engine.running.card.card_with_open_link import CardPort
    from lpad.engine.running.change_store import ChangeStore
    from lpad.engine.running.operation_context import Timeouts
    from lpad.engine.running.run import Run
    from lpad.engine.snapshot.snapshot import Icon, Snapshot
    from lpad.engine.worker.card_ownership import CardOwnership

log = logging.getLogger(__name__)

READ_AGAIN = 10.0
"""The minimum number of seconds between two readings caused by requests that do not fit the last reading."""


class Worker:
    """Carries out all work with one card, in one thread."""

    def __init__(
        self,
        port: CardPort,
        *,
        store: ChangeStore,
        hub: Hub,
        journal: Journal,
        outbox: Outbox,
        owed: OwedCancellations,
        connect: Connect,
        timeouts: Timeouts,
        environment: Environment,
        policies: Policies,
        ownership: CardOwnership,
        networks: NetworkStore,
        wishes: WishStore,
        platforms: Platforms,
        lines: KnownLines,
        port_free: Callable[[], None],
    ) -> None:
        """Create the worker; nothing is opened before `start`."""
        self._name = port.name
        self._card = Card(port)
        self._store = store
        self._outbox = outbox
        self._timeouts = timeouts
        self._loop = WorkLoop(port.name)
        self._presence = Presence()
        self.modem_resets = ModemRestartLimit(port.name, journal=journal, hub=hub)
        """The limit on the modem's restarts."""
        self._hung_modem = HungModem(self._card, self.modem_resets)
        self._observer = Observer(
            self._card,
            hub=hub,
            outbox=outbox,
            presence=self._presence,
            lock=self._loop.lock,
            ownership=ownership,
            hung_modem=self._hung_modem,
            networks=networks,
            deleted=lambda iccids: note_deleted(self._context, iccids),
            copy_soon=self._copy_soon,
        )
        self._interrupted = Interrupted(store, journal, timeouts)
        self.queue = ChangeQueue(
            port.name,
            store=store,
            interrupted=self._interrupted,
            snapshot=lambda: self._observer.snapshot,
            lock=self._loop.lock,
        )
        self._owed = owed
        events = EventStore(journal.memos)
        self.unattended = UnattendedChanges(
            self._card,
            self._loop,
            store=store,
            journal=journal,
            hub=hub,
            timeouts=timeouts,
            events=events,
            submit=self.queue.submit,
            snapshot=lambda: self._observer.snapshot,
        )
        """The changes that lpad begins without a request."""
        self.pending = PendingSwitches(journal.memos)
        """The unfinished switches with network settings."""
        self.unforgotten = UnforgottenProfiles(journal.memos)
        """The deleted profiles that an applier still knows."""
        self.layers = LayerStates(port.name, hub, now=store.now)
        """The states of the data connection's layers."""
        context = self._context = Context(
            card=self._card,
            outbox=outbox,
            owed=owed,
            connect=connect,
            timeouts=timeouts,
            snapshot=lambda: self._observer.snapshot,
            observe=self._observer.observe,
            collect_owed=self._observer.collect_owed,
            keep_icon=self._observer.keep_icon,
            environment=environment,
            install_policy=partial(policies.of, port.name),
            changes=partial(store.changes, euicc=port.name),
            stuck=self.unattended.rescue.stuck,
            modem_resets=self.modem_resets,
            networks=networks,
            pending=self.pending,
            unforgotten=self.unforgotten,
            wishes=wishes,
            platforms=platforms,
            lines=lines,
            layers=self.layers,
            events=events,
        )
        self._executor = Executor(
            context,
            self._observer,
            settle=self._settle,
            interrupted=self._interrupted,
            pause=self.queue.pause,
            make_way=self.queue.make_way,
        )
        self.registration_query = RegistrationQuery(
            self._card,
            self._loop.lock,
            refused=self.queue.release_running,
            make_way=partial(self.queue.overtake_running, "a check of the profile's health"),
            look=lambda: look_at_connection(self._context, self._loop.ending),
            seen=lambda told: saw_registration(self._context, told),
        )
        self._card_reports = CardReports(
            self._card,
            observer=self._observer,
            presence=self._presence,
            waking=self._loop.waking,
            look=self._look,
        )
        self._reports = ConnectionReports(
            self._card,
            waking=self._loop.waking,
            returned=self._applier_returned,
            card_reported=self._card_reports.take,
        )
        self._served = ServedPort(
            self._card,
            self._loop,
            observer=self._observer,
            presence=self._presence,
            reports=self._reports,
            port_free=port_free,
        )
        self.removal = NotificationRemoval(
            self._card,
            self._loop,
            observer=self._observer,
            outbox=outbox,
            timeouts=timeouts,
            wanted=lambda: self._is_wanted,
        )
        """The removal of delivered notifications from the card."""
        self._port_free = port_free
        self._leaving = False
        self._adopt_at: float | None = None
        self._reads_at: float | None = None
        self._tries_larger_at: float | None = None
        self._read_until = 0.0
        self._idle_since = 0.0
        self._stays_idle = False
        self._due_tasks = DueTasks(
            DueTask(lambda: self._presence.looks_at, self._look),
            DueTask(lambda: self._presence.port_went_at, self._port_gone),
            DueTask(lambda: self._card_reports.due_at, self._card_reports.check, idle=True),
            DueTask(lambda: self._hung_modem.due_at, self._help_modem),
            DueTask(lambda: self._adopt_at, self._adopt),
            DueTask(lambda: self.queue.resumes_at, self.queue.resume),
            DueTask(lambda: self.queue.questions_due_at, self.queue.end_unanswered),
            DueTask(lambda: self._interrupted.due_at, self._interrupted.expire),
            *self.unattended.due_tasks,
            DueTask(
                lambda: self.registration_query.due_at if self._observer.ready else None,
                self.registration_query.run,
            ),
            DueTask(lambda: self._network_due_at, lambda: settle_pending(self._context, self._loop.ending)),
            DueTask(
                lambda: self.unforgotten.due_at(self._name) if self._observer.ready else None,
                lambda: forget_again(self._context, self._loop.ending),
            ),
            DueTask(lambda: self._reports.heard_at, self._reports.hear, idle=True),
            DueTask(lambda: self._reports.connects_at, self._reports.connect, idle=True),
            DueTask(
                lambda: self._reports.look_at if self._observer.ready else None,
                self._look_at_layers,
                idle=True,
            ),
            DueTask(lambda: self.removal.due_at, self.removal.run),
            DueTask(lambda: self._reads_at if self._observer.ready else None, self._read_again),
            DueTask(lambda: self._tries_larger_at if self._observer.ready else None, self._try_larger),
            DueTask(self._gives_back_at, lambda: return_modem(self._context, self._loop.ending)),
        )

    @property
    def snapshot(self) -> Snapshot:
        """The last snapshot of the card."""
        return self._observer.snapshot

    @property
    def alive(self) -> bool:
        """Whether the worker's thread runs."""
        return self._loop.alive

    @property
    def copies_owed(self) -> bool:
        """Whether the card may have new notifications that lpad has yet to copy."""
        return self._observer.copies_owed

    def icon(self, iccid: str) -> Icon | None:
        """Return a profile's icon; None: lpad has not read one."""
        return self._observer.icon(iccid)

    @property
    def port(self) -> CardPort:
        """The card's port according to the latest settings, with the policies."""
        return self._served.port

    @property
    def _network_due_at(self) -> float | None:
        """When to settle an interrupted switch's network settings; None: nothing to settle, or no card."""
        pending = self._observer.ready and self.pending.of(self._name) is not None
        return self._idle_since if pending else None

    def check_offline(self, params: Params, *, origin: str) -> None:
        """Refuse a caller's request that takes the device offline, unless request or settings accept this.

        Raises:
            WouldGoOffline: the request would take the device offline.
        """
        if origin == CALLER:
            behind_modem = self.port.device is not None
            check_offline(params, self.snapshot.listed, self.port.policy, behind_modem=behind_modem)

    def start(self) -> None:
        """Start the thread: it reads the card, settles interrupted changes and carries out changes."""
        self._loop.guarded(self._take_in)
        self._observer.tell()
        self._served.watch()
        self._loop.start(
            Work(
                first=(
                    self._look,
                    self.unattended.review,
                    self._drop_unused_settings,
                    self._tell_servers,
                    self._reports.follow,
                ),
                sources=(
                    self._new_port,
                    self._due_rescue,
                    self._urgent_query,
                    self._next_change,
                    self._due_task,
                ),
                after_each=(
                    self.queue.rest,
                    self.unattended.review,
                    self._drop_unused_settings,
                    self._tell_servers,
                ),
                last=(self._reports.close, self._card.give_back, self._observer.let_go, self._left),
                search=self._search,
                rest=self._reports.listen,
                wake=self._reports.pause,
                end=partial(self.registration_query.refuse, urgent=True),
                seconds=self._due_tasks.seconds,
            )
        )

    def cancel(self, change_id: int, *, undo: bool = True) -> None:
        """Cancel a change: a queued one immediately, a running one at its next safe point.

        Args:
            change_id: the change.
            undo: whether to undo the work that the change has begun elsewhere.

        Raises:
            Conflict: the change has ended, or it is too late to cancel it.
        """
        self.queue.cancel(change_id, undo=undo)
        self.unattended.review_soon()

    def become(self, port: CardPort) -> None:
        """Apply new settings before the next change begins."""
        self._served.become(port)

    def look_now(self) -> None:
        """Try an unusable card immediately, because its port may have been released."""
        self._observer.look_now()

    def read_again(self) -> None:
        """Read the card when the worker is idle, because another program may have changed the card."""
        with self._loop.waking():
            self._reads_at = max(time.monotonic(), self._read_until)

    def leave(self) -> None:
        """Have the thread end, because the settings no longer name the card; none of its changes is kept."""
        self._leaving = True
        self._observer.gone()
        self._end(f"the settings no longer name a card '{self._name}'")
        self._loop.guarded(self.queue.give_up)  # now, because the port may be blocking the thread

    def adopt(self) -> None:
        """Have the thread adopt the journal's unfinished changes, after the journal could not be written."""
        with self._loop.waking():
            self._adopt_at = time.monotonic()

    def stop(self) -> None:
        """Have the thread end: a running change ends at its next safe point; queued changes remain stored."""
        self._end(None)

    def _end(self, taken_back: str | None) -> None:
        with self._loop.waking():
            self._loop.stop()
            running = self.queue.running
        self._served.end_watch()
        if running is not None and taken_back is None:
            running.stop("lpad was stopped; repeat the request")
        elif running is not None and taken_back is not None:
            running.cancel(taken_back, undo=False)  # an order may be needed when the card is back

    def join(self, *, deadline: Deadline) -> None:
        """Wait until the worker has ended."""
        self._loop.join(deadline=deadline)

    def _left(self) -> None:
        """End the changes of a card that was removed from the settings, and release its port."""
        if self._leaving:
            self._loop.guarded(self.queue.give_up)  # ends the changes that were kept meanwhile
            self._port_free()

    def _search(self) -> None:
        """Record since when the worker is idle, and accept queries; called with the lock held."""
        if not self._stays_idle:
            self._idle_since = time.monotonic()
        self._stays_idle = False
        self.registration_query.accept()

    def _new_port(self) -> Callable[[], None] | None:
        return self._take_over if self._served.is_new else None

    def _due_rescue(self) -> Callable[[], None] | None:
        due = self.unattended.rescue.is_due and not self.queue.goes_first
        return (lambda: self.unattended.rescue.begin(self.snapshot)) if due else None

    def _urgent_query(self) -> Callable[[], None] | None:
        query = self.registration_query
        return query.run if query.goes_first and self._observer.ready else None

    def _next_change(self) -> Callable[[], None] | None:
        run = self.queue.next()
        if run is None:
            return None
        self.registration_query.refuse()
        return partial(self._carry_out, run)

    def _due_task(self) -> Callable[[], None] | None:
        task = self._due_tasks.due()
        if task is None:
            return None
        self._stays_idle = task.idle
        return task.run

    def _carry_out(self, run: Run) -> None:
        """Carry out a change; when the method returns, the change has ended, waits or was put back."""
        try:
            self._carry_out_next(run)
        except Exception as error:
            log.exception("change %d: internal-error", run.change.id)
            self._executor.end(run, error)

    def _carry_out_next(self, run: Run) -> None:
        """Carry out a change, or refuse it while an interrupted switch waits for an unreachable card."""
        if len(self._interrupted) and not self._observer.ready:
            self._loop.guarded(self._look)
        if self._interrupted.awaits_card() and run.change.kind is not Kind.RESTART_MODEM:
            self._executor.refuse(
                run,
                CardUnreachable(
                    f"{self.snapshot.transport} cannot be reached, and lpad must first end a guarded switch;"
                    " try again when the card is ready"
                ),
            )
            return
        with self._loop.lock:
            if self._loop.stopping:
                self.queue.put_back(run)  # the change remains unchanged in the journal
                return
            run = self.queue.reconsider(run)
        with self.unattended.rescue.overtaking(run):
            self._executor.carry_out(run)
        if run.change.kind.downloads and run.change.state is State.DONE:
            self._tries_larger_at = time.monotonic()

    def _tell_servers(self) -> None:
        """Inform servers of cancelled sessions, unless a change or a query has priority."""
        with self._loop.lock:
            first = self.queue.goes_first or self.registration_query.goes_first
        if not first:
            self._owed.send()

    def _port_gone(self) -> None:
        """Publish that the card is absent; or, if the port is already back, read the card again."""
        with self._loop.lock:
            there = self._presence.take_news()
        self._card.drop()
        if there:
            self._look()
        else:
            gone = f"{self.snapshot.transport} has disappeared; lpad continues as soon as it is back"
            self._observer.absent(CardUnreachable(gone))

    def _take_over(self) -> None:
        """Apply the new settings of the port, then review what the card needs."""
        self.unattended.review_soon()
        self._served.take_over()

    def _look(self) -> None:
        """Open and read the card, and settle interrupted changes."""
        if self._observer.look(seconds=self._timeouts.open + self._timeouts.read):
            self._settle()
            self._outbox.wake()

    def _look_at_layers(self) -> None:
        """Query the connection once, because a report says that it may have changed."""
        self._reports.looked()
        look_after_report(self._context, self._loop.ending)

    def _applier_returned(self) -> None:
        """Try now to have deleted profiles forgotten, because the applier's program has started or ended."""
        with self._loop.waking():
            self.unforgotten.hurry(self._name)

    def _try_larger(self) -> None:
        """Find out, after a download, whether the next download may use larger blocks."""
        with self._loop.lock:
            self._tries_larger_at = None
        listed = self.snapshot.listed
        if listed.complete:
            iccids = [profile.iccid for profile in listed.profiles]
            try_larger_blocks(self._card, iccids, seconds=self._timeouts.read)

    def _read_again(self) -> None:
        with self._loop.lock:
            self._reads_at = None
            self._read_until = time.monotonic() + READ_AGAIN
        self._look()

    def _help_modem(self) -> None:
        """Take the next step of a hung modem's refresh ladder; if lpad took a step, try the card again."""
        if self._hung_modem.help():
            with self._loop.lock:
                self._presence.look_now()

    def _copy_soon(self) -> None:
        self.removal.request()

    def _settle(self) -> None:
        self._interrupted.settle(self.snapshot, submit=self.queue.submit, take_up=self.queue.take_up)
        self.queue.release(PauseReason.CARD)

    def _adopt(self) -> None:
        """Adopt unfinished changes, and settle them by the card's state."""
        with self._loop.lock:
            self._adopt_at = None
        self._take_in()
        self._look()

    def _take_in(self) -> None:
        self._interrupted.adopt(
            self._name, pause=self.queue.pause_again, await_answer=self.queue.await_answer
        )

    def _drop_unused_settings(self) -> None:
        """Remove the network settings of orders whose profile was never installed."""
        card = self.snapshot
        if card.eid is not None and self._observer.ready:
            dropped = self._context.networks.drop_unused(
                card.eid, lacks=card.listed.lacks_name, ended=self._store.has_ended
            )
            for iccid in dropped:
                log.info(
                    "%s: removed an order's network settings: profile %s was not installed", self._name, iccid
                )

    @property
    def _is_wanted(self) -> bool:
        """Whether other work waits for the thread. The caller must hold the lock."""
        return (
            self._loop.stopping
            or not self.queue.is_empty
            or self._served.is_new
            or self.unattended.rescue.is_due
            or self.registration_query.due_at is not None
        )

    def _gives_back_at(self) -> float | None:
        """Return when an idle port is returned to its owner; None: lpad keeps the port."""
        hold = self._card.hold
        return None if hold is None else self._idle_since + hold
