"""The agenda of one card: its changes that are queued, run, wait for another attempt, or were cut off."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from lpad.base.errors import Cancelled, Conflict, TooManyChanges
from lpad.engine.running.change_store import no_card
from lpad.engine.running.run import Job
from lpad.engine.worker.paused import Paused

if TYPE_CHECKING:
    import threading

    from lpad.engine.change.change import Change, Json, PauseReason
    from lpad.engine.recovery.interrupted import Unsettled
    from lpad.engine.running.change_store import Book

LONGEST_QUEUE = 100
"""Changes of one card; a caller gone wild must fill neither memory nor disk."""


class Agenda:
    """The worker takes from it, everybody else adds to it; what changes it wakes the worker up."""

    def __init__(self, euicc: str, *, book: Book, unsettled: Unsettled, lock: threading.Condition) -> None:
        """Begin with nothing.

        Args:
            euicc: the card.
            book: where changes are written.
            unsettled: what an earlier run of the daemon left.
            lock: the worker's condition, which wakes it.
        """
        self._euicc = euicc
        self._book = book
        self._unsettled = unsettled
        self._lock = lock
        self._queue: deque[Job] = deque()
        self._running: Job | None = None
        self._paused = Paused()

    def submit(self, change: Change) -> None:
        """Queue a change."""
        with self._lock:
            self._queue.append(Job(change, self._book))
            self._lock.notify_all()

    def take_up(self, change: Change, *, result: dict[str, Json] | None = None) -> None:
        """Have a change go on that was cut off, before all that is queued."""
        with self._lock:
            self._queue.appendleft(Job(change, self._book, settled=result))

    def pause(self, job: Job) -> None:
        """Keep a change that waits for another attempt, while others have the card."""
        with self._lock:
            if job.taken_back is not None and not job.stopped:  # in the very moment
                job.fail(Cancelled(job.taken_back))
                return
            self._paused.add(job)

    def pause_again(self, change: Change) -> None:
        """Keep a change that waited already when lpad ended."""
        self.pause(Job(change, self._book))

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
            self._queue.extend(self._paused.take_due())

    def next(self) -> Job | None:
        """Return what runs from now on, where something is queued; to be called while the lock is held."""
        if self._queue:
            self._running = self._queue.popleft()
            return self._running
        return None

    def let_pass(self, job: Job) -> Job:
        """Return what is carried out in the place of a job just taken: what was cut off goes first.

        To be called while the lock is held.
        """
        taken_up = sum(each.cut_off for each in self._queue)
        if taken_up and not job.cut_off:
            self._queue.insert(taken_up, job)
            job = self._running = self._queue.popleft()
        return job

    def put_back(self, job: Job) -> None:
        """Leave a job just taken for later; to be called while the lock is held."""
        self._running = None
        self._queue.appendleft(job)

    def rest(self) -> None:
        """Say that nothing runs any more."""
        with self._lock:
            self._running = None

    @property
    def running(self) -> Job | None:
        """What is being carried out."""
        return self._running

    def check_room(self) -> None:
        """See that one more change may be queued.

        Raises:
            TooManyChanges: there are too many already.
        """
        with self._lock:
            waiting = len(self._queue) + len(self._unsettled) + len(self._paused)
        if waiting >= LONGEST_QUEUE:
            raise TooManyChanges(
                f"{waiting} changes of {self._euicc} are queued already; wait until some have ended"
            )

    def job(self, change_id: int) -> Job | None:
        """Return a change's job while it is queued or under way."""
        with self._lock:
            jobs = [*self._queue, *self._paused.jobs(), *([self._running] if self._running else [])]
        return next((job for job in jobs if job.change.id == change_id), None)

    def taken_back(self, change_id: int) -> bool:
        """Whether a change goes on only to its next safe point."""
        job = self.job(change_id)
        return job is not None and job.taken_back is not None

    def cancel(self, change_id: int) -> None:
        """Take a change back: one that is queued at once, one that runs at its next safe point.

        Raises:
            Conflict: it has ended.
        """
        sentence = f"change {change_id} was taken back"
        with self._lock:
            queued = next(
                (job for job in self._queue if job.change.id == change_id and not job.cut_off), None
            )
            if queued is not None:
                self._queue.remove(queued)
            else:
                queued = self._paused.take(change_id)
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

    def give_up(self) -> None:
        """End all that doesn't run, as the next start would: the settings no longer name the card."""
        with self._lock:
            jobs = [*self._queue, *self._paused.take_all()]
            self._queue.clear()
        for job in jobs:
            job.fail(no_card(self._euicc))
        self._unsettled.give_up(no_card(self._euicc))
