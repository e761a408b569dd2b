"""The worker: one thread that owns one card, takes its changes one after the other, and never dies."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from lpad.deadline import Deadline
from lpad.engine import reading
from lpad.engine.card import Card
from lpad.engine.change import Failure, Kind, now
from lpad.engine.job import Job
from lpad.engine.means import Means
from lpad.engine.operations import OPERATIONS
from lpad.engine.snapshot import CardState, Snapshot
from lpad.engine.unsettled import Unsettled, internal_error
from lpad.errors import (
    Cancelled,
    CardBusy,
    CardError,
    CardMalformed,
    CardRefused,
    CardStatus,
    CardUnreachable,
    Conflict,
    InternalError,
    LpadError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.engine.book import Book
    from lpad.engine.card import CardPort
    from lpad.engine.change import Change
    from lpad.engine.events import Hub
    from lpad.engine.journal import Journal
    from lpad.engine.means import Patience
    from lpad.engine.outbox import Connect, Outbox
    from lpad.engine.snapshot import Icon
    from lpad.lpa.euicc import Euicc

log = logging.getLogger(__name__)

REOPENING = (1, 5, 60, 120, 300, 900)
"""Seconds until an absent card is looked for again; the last one stays. A change looks at once.

The first two are for a card that was only restarting, as it does when a REFRESH from before lpad's own
restart reaches it. Later an idle daemon wakes up no more than once a minute.
"""

LONGEST_QUEUE = 100
"""Changes of one card; a caller gone wild must fill neither memory nor disk."""


class Worker:
    """Everything that happens to one card happens in this thread."""

    def __init__(
        self,
        port: CardPort,
        *,
        book: Book,
        hub: Hub,
        journal: Journal,
        outbox: Outbox,
        connect: Connect,
        patience: Patience,
    ) -> None:
        self._card = Card(port)
        self._book = book
        self._hub = hub
        self._outbox = outbox
        self._patience = patience
        self._means = Means(
            card=self._card,
            outbox=outbox,
            connect=connect,
            patience=patience,
            snapshot=lambda: self._snapshot,
            observe=self._observe,
            keep_icon=self._keep_icon,
        )
        self._condition = threading.Condition()
        self._queue: deque[Job] = deque()
        self._running: Job | None = None
        self._unsettled = Unsettled(book, journal)
        self._tidy = False
        self._stopping = False
        self._failed_openings = 0
        self._look_at = 0.0
        self._give_back_at: float | None = None
        self._port_there = True
        self._port_went = False
        self._end_watch: Callable[[], None] | None = None
        self._snapshot = Snapshot(name=port.name, transport=port.transport)
        self._icons: dict[str, Icon] = {}
        self._thread = threading.Thread(target=self._run, name=f"card-{port.name}", daemon=True)

    @property
    def snapshot(self) -> Snapshot:
        """The card as it was last read."""
        return self._snapshot

    @property
    def alive(self) -> bool:
        """Whether the thread does its work."""
        return self._thread.is_alive()

    def icon(self, iccid: str) -> Icon | None:
        """Return a profile's picture, where it has one."""
        return self._icons.get(iccid)

    def start(self) -> None:
        """Begin: open the card, settle what was cut off, then take changes."""
        self._unsettled.adopt(self._snapshot.name)
        if self._card.port.watch is not None:
            self._end_watch = self._card.port.watch(self._port_seen)
        self._thread.start()

    def submit(self, change: Change) -> None:
        """Queue a change."""
        with self._condition:
            self._queue.append(Job(change, self._book))
            self._condition.notify_all()

    def check_room(self) -> None:
        """See that one more change may be queued.

        Raises:
            Conflict: there are too many already.
        """
        with self._condition:
            waiting = len(self._queue) + len(self._unsettled)
        if waiting >= LONGEST_QUEUE:
            raise Conflict(
                f"{waiting} changes of {self._snapshot.name} are queued already; wait until some have ended",
                retryable=True,
            )

    def job(self, change_id: int) -> Job | None:
        """Return the change's job while it is queued or under way."""
        with self._condition:
            jobs = [*self._queue, *([self._running] if self._running else [])]
        return next((job for job in jobs if job.change.id == change_id), None)

    def cancel(self, change_id: int) -> None:
        """Take a change back: one that is queued at once, one that runs at its next safe point.

        Raises:
            Conflict: it has ended.
        """
        sentence = f"change {change_id} was taken back"
        with self._condition:
            queued = next((job for job in self._queue if job.change.id == change_id), None)
            if queued is not None:
                self._queue.remove(queued)
        if queued is not None:
            queued.fail(Cancelled(sentence))
            return
        running = self.job(change_id)
        if running is not None:
            running.cancel(sentence)
            return
        if self._unsettled.cancel(change_id, sentence):
            return
        raise Conflict(f"can't cancel change {change_id}: it has ended or can't be taken back any more")

    def tidy(self) -> None:
        """Take delivered notifications off the card when there is time."""
        with self._condition:
            self._tidy = True
            self._condition.notify_all()

    def stop(self, *, deadline: Deadline) -> None:
        """End: what runs is taken back at its next safe point, what is queued stays for the next start."""
        with self._condition:
            self._stopping = True
            running = self._running
            self._condition.notify_all()
        if self._end_watch is not None:
            self._end_watch()
        if running is not None:
            running.cancel("lpad was stopped; ask again")
        if self._thread.is_alive():
            self._thread.join(deadline.remaining())

    def _run(self) -> None:
        self._guarded(self._look)
        while True:
            hold = self._card.hold
            self._give_back_at = None if hold is None else time.monotonic() + hold
            with self._condition:
                while not (self._queue or self._stopping or self._due()):
                    self._condition.wait(self._until_due())
                if self._stopping:
                    break
                job = self._running = self._queue.popleft() if self._queue else None
            if job is not None:
                self._guarded(partial(self._carry_out, job))
                with self._condition:
                    self._running = None
            elif not self._work_due():
                self._guarded(self._card.give_back)
            elif self._snapshot.state is not CardState.READY:
                self._guarded(self._look)
            elif self._port_went:
                self._guarded(self._port_gone)
            else:
                self._guarded(self._take_off)
        self._card.give_back()

    def _port_seen(self, there: bool) -> None:  # noqa: FBT001 - a callback's one argument
        """Learn, in another thread, that the port is there or not; a running change finds out by itself."""
        with self._condition:
            self._port_there = there
            if self._snapshot.state is CardState.READY:
                self._port_went = self._port_went or not there
            elif there:
                # A modem that is still starting is looked for again as after lpad's own start.
                self._failed_openings = 0
                self._look_at = time.monotonic()
            self._condition.notify_all()

    def _port_gone(self) -> None:
        """Say that the card is absent; or, where the port is back already, read the card anew."""
        with self._condition:
            self._port_went = False
            there = self._port_there
        self._card.drop()
        if there:
            self._look()
        else:
            gone = f"{self._snapshot.transport} has disappeared; lpad goes on as soon as it is back"
            self._absent(CardUnreachable(gone))

    def _guarded(self, act: Callable[[], None]) -> None:
        """Nothing may end this thread: a card without its worker needs a truck."""
        try:
            act()
        except LpadError as error:
            log.warning("%s: %s (%s)", self._snapshot.name, error.sentence, error.kind)
        except Exception:
            log.exception("%s: internal-error", self._snapshot.name)

    def _due(self) -> bool:
        idle = self._give_back_at is not None and time.monotonic() >= self._give_back_at
        return idle or self._work_due()

    def _work_due(self) -> bool:
        if self._snapshot.state is CardState.READY:
            return self._tidy or self._port_went
        return time.monotonic() >= self._look_at

    def _until_due(self) -> float | None:
        """Return the seconds until there is something to do without being asked; None: never."""
        moments = [] if self._give_back_at is None else [self._give_back_at]
        if self._snapshot.state is not CardState.READY:
            moments.append(self._look_at)
        return max(0.0, min(moments) - time.monotonic()) if moments else None

    def _look(self) -> None:
        """Open and read the card, and settle what was cut off; absent is a state, no error."""
        try:
            deadline = Deadline.after(self._patience.open + self._patience.read)
            with self._card.session(deadline=deadline) as euicc:
                self._observe(euicc, deadline)
        except LpadError as error:
            self._absent(error)
            return
        except Exception as error:
            log.exception("%s: internal-error", self._snapshot.name)
            self._absent(internal_error("reading the card", error))
            return
        self._settle()
        self._outbox.wake()

    def _carry_out(self, job: Job) -> None:
        change = job.change
        log.info("change %d (%s) on %s: begins", change.id, change.kind, change.euicc)
        try:
            job.begin()
        except LpadError as error:  # taken back meanwhile, or the journal can't be written
            job.fail(error)
        else:
            try:
                if change.kind is not Kind.PROBE:  # which reports of a card that is absent, too
                    self._open_first()
                result = OPERATIONS[change.kind](job, self._means)
            except LpadError as error:
                self._failed(job, error)
            except Exception as error:
                log.exception("change %d: internal-error", change.id)
                self._failed(job, internal_error(change.kind, error))
            else:
                job.done(result)
        # Whatever the change was, the card may have been read and notifications copied from it.
        self._outbox.wake()
        ended = job.change
        reason = f": {ended.error.sentence} ({ended.error.kind})" if ended.error else ""
        log.info("change %d (%s) on %s: %s%s", ended.id, ended.kind, ended.euicc, ended.state, reason)

    def _open_first(self) -> None:
        """Look for an absent card now; a card that comes back may bring changes to settle."""
        if self._snapshot.state is not CardState.READY:
            deadline = Deadline.after(self._patience.open + self._patience.read)
            with self._card.session(deadline=deadline) as euicc:
                self._observe(euicc, deadline)
            self._settle()

    def _failed(self, job: Job, error: LpadError) -> None:
        """Read the card after a failure, then end the change: who reads the error sees the present state."""
        if isinstance(error, CardError) and self._snapshot.state is not CardState.READY:
            self._absent(error)
        else:
            try:
                deadline = Deadline.after(self._patience.read)
                with self._card.session(deadline=deadline) as euicc:
                    self._observe(euicc, deadline)
            except LpadError as reading_error:
                self._absent(reading_error)
            except Exception as reading_error:
                # Whatever is wrong with the card's answers or with lpad, the change must end.
                log.exception("%s: internal-error", self._snapshot.name)
                self._absent(internal_error("reading the card", reading_error))
            self._outbox.wake()
        job.fail(error)

    def _observe(self, euicc: Euicc, deadline: Deadline, *, whole: bool = False) -> Snapshot:
        """Read what changes may have changed; the whole card where it is new, or asked for."""
        known = None if whole or self._snapshot.state is not CardState.READY else self._snapshot
        seen = reading.read_card(euicc, known=known, deadline=deadline)
        for profile in seen.profiles:
            if profile.icon_type is not None and profile.iccid not in self._icons:
                icon = reading.read_icon(euicc, profile.iccid, deadline=deadline)
                if icon is not None:
                    self._icons[profile.iccid] = icon
        imei = self._card.imei()
        self._publish(
            replace(
                self._snapshot,
                state=CardState.READY,
                error=None,
                eid=seen.eid,
                imei=str(imei) if imei else None,
                info=seen.info,
                addresses=seen.addresses,
                profiles=seen.profiles,
                read_at=now(),
            )
        )
        self._failed_openings = 0
        try:
            self._outbox.collect(euicc, seen.eid, deadline=deadline)
        except (CardRefused, CardMalformed, InternalError) as error:
            # The card's other functions work; what can't be listed, or copied to a full disk, stays on it.
            log.warning("%s: notifications: %s (%s)", self._snapshot.name, error.sentence, error.kind)
        return self._snapshot

    def _keep_icon(self, iccid: str, icon: Icon) -> None:
        self._icons[iccid] = icon

    def _take_off(self) -> None:
        self._tidy = False
        deadline = Deadline.after(self._patience.read)
        try:
            with self._card.session(deadline=deadline) as euicc:
                self._outbox.collect(euicc, self._snapshot.eid or "", deadline=deadline)
        except CardError as error:
            self._absent(error)

    def _absent(self, error: LpadError) -> None:
        self._card.drop()
        wait = REOPENING[min(self._failed_openings, len(REOPENING) - 1)]
        self._failed_openings += 1
        self._look_at = time.monotonic() + wait
        if self._snapshot.error is None or self._snapshot.error.sentence != error.sentence:
            log.warning("%s: not ready: %s (%s)", self._snapshot.name, error.sentence, error.kind)
        away = isinstance(error, CardUnreachable | CardBusy | CardStatus)
        state = CardState.ABSENT if away else CardState.FAULTY
        self._publish(replace(self._snapshot, state=state, error=Failure.of(error)))

    def _publish(self, snapshot: Snapshot) -> None:
        before, self._snapshot = self._snapshot, snapshot
        if (before.state, before.error) != (snapshot.state, snapshot.error) or before.eid != snapshot.eid:
            error = msgspec.to_builtins(snapshot.error) if snapshot.error else None
            self._hub.publish(
                "euicc",
                {"name": snapshot.name, "state": snapshot.state, "eid": snapshot.eid, "error": error},
                euicc=snapshot.name,
            )

    def _settle(self) -> None:
        self._unsettled.settle(self._snapshot, submit=self.submit)
