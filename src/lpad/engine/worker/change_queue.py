"""The change queue of one card: its changes that are queued, run, wait for another try, or were cut off."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from lpad.base.errors import Cancelled, Conflict, TooManyChanges
from lpad.engine.running.change_store import no_card
from lpad.engine.running.run import Run
from lpad.engine.worker.paused import Paused

if TYPE_CHECKING:
    import threading

    from lpad.engine.change.change import Change, Json, PauseReason
    from lpad.engine.recovery.interrupted import Interrupted
    from lpad.engine.running.change_store import ChangeStore

LONGEST_QUEUE = 100
"""Changes of one card; a caller gone wild must fill neither memory nor disk."""


class ChangeQueue:
    """The worker takes from it, everybody else adds to it; what changes it wakes the worker up."""

    def __init__(
        self, euicc: str, *, store: ChangeStore, interrupted: Interrupted, lock: threading.Condition
    ) -> None:
        """Begin with nothing.

        Args:
            euicc: the card.
            store: where changes are written.
            interrupted: what an earlier run of the daemon left.
            lock: the worker's condition, which wakes it.
        """
        self._euicc = euicc
        self._store = store
        self._interrupted = interrupted
        self._lock = lock
        self._queue: deque[Run] = deque()
        self._running: Run | None = None
        self._paused = Paused()

    def submit(self, change: Change) -> None:
        """Queue a change."""
        with self._lock:
            self._queue.append(Run(change, self._store))
            self._lock.notify_all()

    def take_up(self, change: Change, *, result: dict[str, Json] | None = None) -> None:
        """Have a change go on that was cut off, before all that is queued."""
        with self._lock:
            self._queue.appendleft(Run(change, self._store, settled=result))

    def pause(self, run: Run) -> None:
        """Keep a change that waits for another attempt, while others have the card."""
        with self._lock:
            if run.taken_back is not None and not run.stopped:  # in the very moment
                run.fail(Cancelled(run.taken_back))
                return
            self._paused.add(run)

    def pause_again(self, change: Change) -> None:
        """Keep a change that waited already when lpad ended."""
        self.pause(Run(change, self._store))

    def release(self, *reasons: PauseReason) -> None:
        """Have changes go on that wait for one of these."""
        with self._lock:
            self._paused.release(*reasons)
            self._lock.notify_all()

    @property
    def resumes_at(self) -> float | None:
        """When the next paused change goes on, in monotonic time. To be asked while the lock is held."""
        return self._paused.due_at

    def resume(self) -> None:
        """Queue what is to be tried again."""
        with self._lock:
            due = self._paused.take_due()
            for run in due:
                run.awaits_turn()
            self._queue.extend(due)

    def next(self) -> Run | None:
        """Return what runs from now on, where something is queued; to be called while the lock is held."""
        if self._queue:
            self._running = self._queue.popleft()
            return self._running
        return None

    def let_pass(self, run: Run) -> Run:
        """Return what is carried out in the place of a run just taken: what was cut off goes first.

        To be called while the lock is held.
        """
        taken_up = sum(each.cut_off for each in self._queue)
        if taken_up and not run.cut_off:
            self._queue.insert(taken_up, run)
            run = self._running = self._queue.popleft()
        return run

    def put_back(self, run: Run) -> None:
        """Leave a run just taken for later; to be called while the lock is held."""
        self._running = None
        self._queue.appendleft(run)

    def rest(self) -> None:
        """Say that nothing runs any more."""
        with self._lock:
            self._running = None

    @property
    def running(self) -> Run | None:
        """What is being carried out."""
        return self._running

    def check_room(self) -> None:
        """See that one more change may be queued.

        Raises:
            TooManyChanges: there are too many already.
        """
        with self._lock:
            waiting = len(self._queue) + len(self._interrupted) + len(self._paused)
        if waiting >= LONGEST_QUEUE:
            raise TooManyChanges(
                f"{waiting} changes of {self._euicc} are queued already; wait until some have ended"
            )

    def run(self, change_id: int) -> Run | None:
        """Return a change's job while it is queued or under way."""
        with self._lock:
            runs = [*self._queue, *self._paused.runs(), *([self._running] if self._running else [])]
        return next((run for run in runs if run.change.id == change_id), None)

    def taken_back(self, change_id: int) -> bool:
        """Whether a change goes on only to its next safe point."""
        run = self.run(change_id)
        return run is not None and run.taken_back is not None

    def cancel(self, change_id: int) -> None:
        """Take a change back: one that is queued at once, one that runs at its next safe point.

        Raises:
            Conflict: it has ended.
        """
        sentence = f"change {change_id} was taken back"
        with self._lock:
            queued = next(
                (run for run in self._queue if run.change.id == change_id and not run.cut_off), None
            )
            if queued is not None:
                self._queue.remove(queued)
            else:
                queued = self._paused.take(change_id)
        if queued is not None:
            queued.fail(Cancelled(sentence))
            return
        running = self.run(change_id)
        if running is not None:
            running.cancel(sentence)
            return
        if self._interrupted.cancel(change_id, sentence):
            return
        raise Conflict(f"can't cancel change {change_id}: it has ended or can't be taken back any more")

    def give_up(self) -> None:
        """End all that doesn't run, as the next start would: the settings no longer name the card."""
        with self._lock:
            runs = [*self._queue, *self._paused.take_all()]
            self._queue.clear()
        for run in runs:
            run.fail(no_card(self._euicc))
        self._interrupted.give_up(no_card(self._euicc))
