"""The change queue of one card: its queued, running and waiting changes."""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING

from lpad.base.errors import Cancelled, Conflict, internal_error
from lpad.engine.change.change import PauseReason
from lpad.engine.change.overtaking_by_switch import SWITCHES, until_quiet
from lpad.engine.operations import download_question_answers
from lpad.engine.operations.operations import TAKEN_BACK
from lpad.engine.running.change_store import no_card
from lpad.engine.running.run import Run
from lpad.engine.worker.queue.awaiting_answer import AwaitingAnswer
from lpad.engine.worker.queue.awaiting_retry import AwaitingRetry
from lpad.engine.worker.queue.change_precedence import Rank, rank
from lpad.engine.worker.queue.queue_shares import check_place

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable

    from lpad.base.errors import LpadError
    from lpad.engine.change.change import Change, Kind
    from lpad.engine.change.results import Result
    from lpad.engine.recovery.interrupted_changes import Interrupted
    from lpad.engine.running.change_question_answer import Answer
    from lpad.engine.running.change_store import ChangeStore
    from lpad.engine.snapshot.snapshot import Snapshot

log = logging.getLogger(__name__)


class ChangeQueue:
    """The queue from which the worker takes changes. Other threads add changes, which wakes the worker."""

    def __init__(
        self,
        euicc: str,
        *,
        store: ChangeStore,
        interrupted: Interrupted,
        snapshot: Callable[[], Snapshot],
        lock: threading.Condition,
    ) -> None:
        """Create an empty queue."""
        self._euicc = euicc
        self._store = store
        self._interrupted = interrupted
        self._snapshot = snapshot
        self._lock = lock
        self._queue: deque[Run] = deque()
        self._running: Run | None = None
        self._paused = AwaitingRetry()
        self._asked = AwaitingAnswer()

    def submit(self, change: Change) -> None:
        """Queue a change; if it goes first, the running change makes way if possible."""
        with self._lock:
            run = self._run_of(change)
            self._queue.append(run)
            self._precede(run)
            self._lock.notify_all()

    def take_up(self, change: Change, *, result: Result | None = None) -> None:
        """Queue an interrupted change before all other changes."""
        with self._lock:
            self._queue.appendleft(self._run_of(change, settled=result))

    def _run_of(self, change: Change, *, settled: Result | None = None, released: bool = False) -> Run:
        return Run(
            change, self._store, settled=settled, others_wait=lambda: bool(self._queue), released=released
        )

    def _precede(self, run: Run) -> None:
        """Have the running change make way for an urgent one; if it waits for an answer, for any change."""
        if self._running is not None and self._rank(run) < Rank.OTHER:
            self.overtake_running(f"change {run.change.id} ({run.change.kind})")
        else:
            self.release_running()

    def overtake_running(self, by: str) -> None:
        """Make a running change give way, unless it began an irreversible step; call with the lock held."""
        if self._running is not None:
            self._running.overtake(by)

    def release_running(self) -> None:
        """Make a running change that only waits for an answer release the card.

        The caller must hold the lock.
        """
        if self._running is not None:
            self._running.release()

    def _rank(self, run: Run) -> Rank:
        return self._ranks([run])[0]

    def _ranks(self, runs: Iterable[Run]) -> list[Rank]:
        card = self._snapshot()
        others = [each.change for each in (*self._queue, *([self._running] if self._running else []))]
        return [_rank(each, card=card, others=others) for each in runs]

    def pause(self, run: Run) -> bool:
        """Keep a change that waits for another attempt, while others use the card.

        Returns:
            Whether the queue keeps the run; otherwise it was cancelled meanwhile, and the caller ends it.
        """
        with self._lock:
            if run.taken_back is not None and not run.stopped:
                return False  # the cancellation came before the run could detect it
            self._paused.add(run)
            pause = run.change.pause
            if pause is not None and pause.reason is PauseReason.JOURNAL and self._store.writable:
                # The journal has become writable again before this change began to wait.
                self._paused.release(PauseReason.JOURNAL)
        return True

    def pause_again(self, change: Change) -> None:
        """Keep a change that was already waiting when lpad ended."""
        self.pause(self._run_of(change))

    def make_way(self, run: Run) -> bool:
        """Accept a run that has released the card: queue it again, or keep it waiting.

        Returns:
            Whether the queue keeps the run; otherwise it was cancelled meanwhile, and the caller ends it.
        """
        with self._lock:
            if run.taken_back is not None:
                return False
            if run.change.question is not None:
                self._asked.add(run)
            elif run.released:
                self._answered(run)
            elif run.change.pause is not None and run.gave_way:
                self._paused.add(run)
            else:
                self._again(run)
            self._lock.notify_all()
            return True

    def await_answer(self, change: Change, seconds: float) -> None:
        """Keep a change that waited for an answer when lpad ended, for the remaining seconds."""
        run = self._run_of(change, released=True)
        run.await_answer(seconds)
        with self._lock:
            self._asked.add(run)
            self._lock.notify_all()

    def answer(self, run: Run, answer: Answer) -> None:
        """Give a run its answer. A run that has released the card is queued, first of its rank, or ended.

        Raises:
            Conflict: the change asks no question, or a different one.
        """
        with self._lock:
            run.answer(answer)
            if self._asked.take(run.change.id) is not None:
                self._answered(run)
                self._lock.notify_all()

    def _answered(self, run: Run) -> None:
        download_question_answers.tell(run)
        error = download_question_answers.end_of(run)
        if error is not None:
            run.fail(error)
        else:
            self._again(run)

    def _again(self, run: Run) -> None:
        run.renew()
        self._queue.appendleft(run)

    @property
    def questions_due_at(self) -> float | None:
        """When the next unanswered change ends, in monotonic time; None: never. Call with the lock held."""
        return self._asked.due_at

    def end_unanswered(self) -> None:
        """End the changes whose question was not answered in time."""
        with self._lock:
            for run in self._asked.take_due():
                try:
                    error: LpadError = download_question_answers.unanswered(run)
                except Exception as mistake:  # the other changes must end, too
                    log.exception("change %d: internal-error", run.change.id)
                    error = internal_error("waiting for an answer", mistake)
                run.fail(error)

    def release(self, *reasons: PauseReason) -> None:
        """Continue the changes that wait for one of `reasons`."""
        with self._lock:
            self._paused.release(*reasons)
            self._lock.notify_all()

    def hasten(self, change_id: int, take: Callable[[float], float | None]) -> None:
        """Make a change query its platform earlier, because of a hint; see `AwaitingRetry.hasten`."""
        with self._lock:
            hastened = self._paused.hasten(change_id, take)
            self._lock.notify_all()
        if hastened is not None:
            run, wait = hastened
            run.continue_in(wait)

    @property
    def resumes_at(self) -> float | None:
        """When the next paused change continues, in monotonic time; None: only when an event occurs.

        The caller must hold the lock.
        """
        return self._paused.due_at

    def resume(self) -> None:
        """Queue the changes whose next attempt is due."""
        with self._lock:
            for run in self._paused.take_due():
                run.renew()
                try:
                    run.awaits_turn()
                except Exception:  # after an error here, only the measured time is wrong
                    log.exception("change %d: internal-error", run.change.id)
                self._queue.append(run)

    def next(self) -> Run | None:
        """Take the next run from the queue; None: the queue is empty. The caller must hold the lock."""
        if not self._queue:
            return None
        ranks = self._ranks(self._queue)
        first = ranks.index(min(ranks))  # of several changes with this rank, the first one
        self._running = self._queue[first]
        del self._queue[first]
        return self._running

    def reconsider(self, run: Run) -> Run:
        """Return the run to carry out: the run just taken, or another run that now goes first.

        The caller must hold the lock.
        """
        self._queue.appendleft(run)
        following = self.next()
        assert following is not None, "a run was just queued"
        return following

    @property
    def goes_first(self) -> bool:
        """Whether a queued change precedes ordinary ones, as a switch does. The caller must hold the lock."""
        return any(each < Rank.OTHER for each in self._ranks(self._queue))

    @property
    def is_empty(self) -> bool:
        """Whether no change is queued. The caller must hold the lock."""
        return not self._queue

    def put_back(self, run: Run) -> None:
        """Put back a run just taken; the caller must hold the lock."""
        self._running = None
        self._queue.appendleft(run)

    def rest(self) -> None:
        """Record that no change runs; after a switch, restart the waits for a time without switches."""
        with self._lock:
            ran, self._running = self._running, None
            switched = ran is not None and ran.change.kind in SWITCHES
            waiting = self._paused.put_off() if switched else []
        for run in waiting:
            try:
                run.await_quiet(until_quiet(run.change))
            except Exception:  # the other changes must show their new time, too
                log.exception("change %d: internal-error", run.change.id)

    @property
    def running(self) -> Run | None:
        """The run in progress; None: no change runs."""
        return self._running

    def check_place(self, kind: Kind, *, asked_by: int | None, origin: str) -> None:
        """Check that one more change may be queued.

        Raises:
            TooManyChanges: too many changes already wait.
        """
        with self._lock:
            runs = [*self._queue, *self._paused.runs(), *self._asked.runs()]
        waiting = [*(run.change for run in runs), *self._interrupted.changes()]
        check_place(self._euicc, kind, asked_by=asked_by, origin=origin, waiting=waiting)

    def run(self, change_id: int) -> Run | None:
        """Return the run of a queued, running or waiting change; None: the queue has no such run."""
        with self._lock:
            running = [self._running] if self._running else []
            runs = [*self._queue, *self._paused.runs(), *self._asked.runs(), *running]
        return next((run for run in runs if run.change.id == change_id), None)

    def taken_back(self, change_id: int) -> bool:
        """Return whether a change will end at its next safe point."""
        run = self.run(change_id)
        return run is not None and run.taken_back is not None

    def cancel(self, change_id: int, *, undo: bool = True) -> None:
        """Cancel a change: a queued one immediately, a running one at its next safe point.

        Args:
            change_id: the change.
            undo: whether to undo the work that the change has begun elsewhere.

        Raises:
            Conflict: the change has ended, or it is too late to cancel it.
        """
        sentence = f"change {change_id} was cancelled"
        with self._lock:
            queued = next(
                (run for run in self._queue if run.change.id == change_id and not run.cut_off), None
            )
            if queued is not None:
                self._queue.remove(queued)
            else:
                queued = self._paused.take(change_id) or self._asked.take(change_id)
            if queued is not None and queued.change.kind in TAKEN_BACK:
                # The worker's thread undoes the work that the change has begun elsewhere.
                queued.cancel(sentence, undo=undo)
                self._again(queued)
                self._lock.notify_all()
                return
        if queued is not None:
            queued.fail(Cancelled(sentence))
            return
        running = self.run(change_id)
        if running is not None:
            running.cancel(sentence, undo=undo)
            return
        if self._interrupted.cancel(change_id, sentence):
            return
        raise Conflict(f"cannot cancel change {change_id}: it has ended, or it is too late to cancel it")

    def give_up(self) -> None:
        """End all changes that do not run, because the card was removed from the settings."""
        with self._lock:
            runs = [*self._queue, *self._paused.take_all(), *self._asked.take_all()]
            self._queue.clear()
        for run in runs:
            run.fail(no_card(self._euicc))
        self._interrupted.give_up(no_card(self._euicc))


def _rank(run: Run, *, card: Snapshot, others: Iterable[Change]) -> Rank:
    """Return a change's place in the order; after an internal error, return the last place."""
    try:
        return rank(run, card=card, others=others)
    except Exception:
        log.exception("change %d: cannot determine its precedence: internal-error", run.change.id)
        return Rank.OTHER
