"""The changes of a card that were cut off, by lpad's end or the loss of the card, until the card is read."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Protocol

from lpad.base.errors import Cancelled, LpadError, internal_error
from lpad.engine.change.change import State, now
from lpad.engine.change.notes import Notes, noting
from lpad.engine.change.params import DownloadParams
from lpad.engine.change.steady_clock import Moment
from lpad.engine.change.time_limit import TimeLimit
from lpad.engine.recovery import reconcile

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.engine.change.change import Change
    from lpad.engine.change.notes import NotedLimit, Noting
    from lpad.engine.change.results import Result
    from lpad.engine.journal import Journal
    from lpad.engine.recovery.reconcile import Verdict
    from lpad.engine.running.change_store import ChangeStore
    from lpad.engine.running.operation_context import Timeouts
    from lpad.engine.snapshot.snapshot import Snapshot

log = logging.getLogger(__name__)


STARTING = 120.0
"""Seconds that lpad waits at its start for a card whose time limit has passed, because the card may be
starting, too."""


class TakeUp(Protocol):
    """Continues an interrupted change before all other changes."""

    def __call__(self, change: Change, *, result: Result | None = None) -> None:
        """Queue the change, together with its result if the card has carried it out."""


class Interrupted:
    """Changes that lpad's end or the loss of the card cut off; the worker settles them once the card is read.

    Until then, the API may cancel queued changes.
    """

    def __init__(self, store: ChangeStore, journal: Journal, timeouts: Timeouts) -> None:
        self._store = store
        self._journal = journal
        self._timeouts = timeouts
        self._lock = threading.Lock()
        self._changes: list[Change] = []
        self._due: dict[int, float] = {}

    def __len__(self) -> int:
        return len(self._changes)

    def changes(self) -> list[Change]:
        """Return all interrupted changes."""
        with self._lock:
            return list(self._changes)

    def adopt(
        self,
        euicc: str,
        *,
        pause: Callable[[Change], None],
        await_answer: Callable[[Change, float], None],
    ) -> None:
        """Adopt a card's unfinished changes.

        Args:
            euicc: the card's name in the settings.
            pause: gets each paused change.
            await_answer: gets each change that waits for an answer, and the remaining seconds.
        """
        for change in self._store.adopt(euicc):
            try:
                self._adopt(change, pause=pause, await_answer=await_answer)
            except LpadError as error:  # The change's unreadable notes must not affect later changes.
                log.warning("change %d: %s (%s)", change.id, error, error.kind)
                with self._lock:
                    self._changes.append(change)
            except Exception:  # an internal error must not affect later changes
                log.exception("change %d: internal-error", change.id)
                with self._lock:
                    self._changes.append(change)

    def _adopt(
        self,
        change: Change,
        *,
        pause: Callable[[Change], None],
        await_answer: Callable[[Change, float], None],
    ) -> None:
        notes = self._store.private(change).notes
        if change.pause is not None and reconcile.is_left_to_card(notes):
            limit = self._limit(change, notes.absence)
            self._note(change, noting(Notes, absence=limit.noted()))
            self._await_start(change, limit)
        elif change.pause is not None:
            pause(change)
        elif change.state is State.WAITING and not reconcile.goes_on(change):
            await_answer(change, self._seconds_to_answer(change))
        elif change.state is State.RUNNING and not reconcile.is_endless(change):
            limit = self._limit(change, notes.absence_at_start)
            self._note(change, noting(Notes, absence_at_start=limit.noted()))
            self._await_start(change, limit)
        else:
            self._changes.append(change)

    def _seconds_to_answer(self, change: Change) -> float:
        """Return the remaining time to wait for an answer; earlier releases stored only wall-clock time."""
        noted = self._store.private(change).notes.answer_by
        moment = Moment.now()
        if noted is not None:
            limit = TimeLimit.read(noted).carried_on(moment)
        else:
            left = (change.question.until - now()).total_seconds() if change.question is not None else 0.0
            limit = TimeLimit.starting(min(max(0.0, left), self._timeouts.answer), at=moment)
        self._note(change, noting(Notes, answer_by=limit.noted()))
        return limit.left(moment)

    def _limit(self, change: Change, noted: NotedLimit | None) -> TimeLimit:
        """Return the time limit of the wait for an absent card, which continues across restarts."""
        moment = Moment.now()
        if noted is not None:
            return TimeLimit.read(noted).carried_on(moment)
        tried_for = change.params.retry_for if isinstance(change.params, DownloadParams) else None
        return TimeLimit.starting(max(self._timeouts.absence, tried_for or 0), at=moment)

    def _note(self, change: Change, notes: Noting) -> None:
        try:
            self._store.save(change, notes=notes)
        except LpadError as error:  # at worst, a wait begins again at the next start
            names = ", ".join(notes.fields)
            log.warning("change %d: cannot record '%s': %s (%s)", change.id, names, error, error.kind)

    def _await_start(self, change: Change, limit: TimeLimit) -> None:
        with self._lock:
            self._changes.append(change)
            self._due[change.id] = time.monotonic() + (limit.left(Moment.now()) or STARTING)

    def cancel(self, change_id: int, sentence: str) -> bool:
        """Cancel a queued change; return whether there was one."""
        with self._lock:
            found = [each for each in self._changes if each.id == change_id and each.state is State.QUEUED]
            self._changes = [each for each in self._changes if each not in found]
        for change in found:
            self._store.save(change.cancelled(Cancelled(sentence)))
        return bool(found)

    def give_up(self, error: LpadError) -> None:
        """End all interrupted changes, because lpad will not read their card again."""
        with self._lock:
            changes, self._changes = self._changes, []
            self._due.clear()
        for change in changes:
            self._store.save(change.failed(error))

    def put_back(self, change: Change) -> None:
        """Keep a change that needs its card to continue, until the card is read again."""
        with self._lock:
            self._changes.insert(0, change)

    def keep_open(self, change: Change, limit: TimeLimit) -> None:
        """Keep a change whose card was lost: it ends when the card is read, or the limit passes."""
        with self._lock:
            self._changes.insert(0, change)
            self._due[change.id] = time.monotonic() + limit.left(Moment.now())

    @property
    def due_at(self) -> float | None:
        """When the next wait for a card ends, in monotonic time; None: no change waits."""
        with self._lock:
            return min(self._due.values(), default=None)

    def expire(self) -> None:
        """End the changes that have waited long enough for their card, with an unknown result."""
        present = time.monotonic()
        with self._lock:
            passed = [each for each in self._changes if self._due.get(each.id, present + 1) <= present]
            self._changes = [each for each in self._changes if each not in passed]
            self._due = {change_id: at for change_id, at in self._due.items() if at > present}
        for change in passed:
            error = reconcile.unknown(change)
            self._store.save(change.failed(error))
            log.warning("change %d (%s) on %s: %s", change.id, change.kind, change.euicc, error)

    def verdict(self, change: Change, card: Snapshot) -> Verdict:
        """Return the result or error of an interrupted change, as the card's state shows it."""
        copies = self._journal.notifications.all(eid=card.eid)
        try:
            return reconcile.judge(change, self._store.private(change), card, copies)
        except Exception as error:  # a change that cannot be judged must not block the others
            log.exception("change %d: internal-error", change.id)
            return internal_error(f"settling {change.kind}", error)

    def awaits_card(self) -> bool:
        """Return whether an interrupted change continues as soon as the card is read, before any others."""
        with self._lock:
            return any(map(reconcile.goes_on, self._changes))

    def settle(self, card: Snapshot, *, submit: Callable[[Change], None], take_up: TakeUp) -> None:
        """End or resume the interrupted changes by the card's present state, and submit the queued ones."""
        if not self._changes:
            return
        with self._lock:
            changes, self._changes = self._changes, []
            self._due.clear()
        for change in changes:
            try:
                self._settle(change, card, submit=submit, take_up=take_up)
            except LpadError as error:  # the journal cannot be read; the other changes must still be settled
                log.warning(
                    "cannot settle change %d yet and will try again: %s (%s)", change.id, error, error.kind
                )
                with self._lock:
                    self._changes.append(change)
            except Exception as error:  # a change that cannot be settled must not block the others
                log.exception("change %d: internal-error", change.id)
                if reconcile.goes_on(change):  # the change has to roll back its switch
                    with self._lock:
                        self._changes.append(change)
                else:
                    self._store.save(change.failed(internal_error(f"settling {change.kind}", error)))

    def _settle(
        self, change: Change, card: Snapshot, *, submit: Callable[[Change], None], take_up: TakeUp
    ) -> None:
        what = f"change {change.id} ({change.kind}) on {change.euicc}"
        if change.state is State.QUEUED:
            submit(change)
            return
        if reconcile.goes_on(change):
            log.info("%s: resumed", what)
            take_up(change)
            return
        if reconcile.is_tried_again(change, self._store.private(change)):
            log.info("%s: retried", what)
            self._note(change, noting(Notes, absence_at_start=None))
            submit(change)
            return
        verdict = self.verdict(change, card)
        going_on = change.found_out()
        if isinstance(verdict, LpadError):
            self._store.save(going_on.failed(verdict))
        elif reconcile.takes_work(change):
            log.info("%s: continued to its end", what)
            take_up(going_on, result=verdict)
            return
        else:
            self._store.save(going_on.done(verdict))
        log.info("%s: settled", what)
