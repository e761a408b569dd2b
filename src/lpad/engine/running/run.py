"""A run: one execution of a change by a worker, and the only object that worker and API share.

The worker takes steps, shows progress and asks questions; the API answers and cancels.
"""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING

from msgspec.structs import replace

from lpad.base.cancellation import Cancellation
from lpad.base.deadline import Deadline
from lpad.base.errors import Cancelled, Conflict, LpadError
from lpad.engine.change import overtaking_by_switch
from lpad.engine.change.change import Question, QuestionKind, State, now
from lpad.engine.change.notes import NOTHING, Notes, noting
from lpad.engine.change.overtaking_by_switch import OVERTAKEN, after_overtaking
from lpad.engine.change.time_limit import TimeLimit
from lpad.engine.running.change_question_answer import CODE
from lpad.engine.running.run_hold_states import Hold, HoldEvent, after
from lpad.engine.running.run_record import RunRecord

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.engine.change.change import Change, Pause
    from lpad.engine.change.notes import Noting
    from lpad.engine.change.results import Result, ShownProfile
    from lpad.engine.running.change_question_answer import Answer
    from lpad.engine.running.change_store import ChangeStore


HELD = 60.0
"""Seconds for which a change that waits for an answer keeps its sessions with card and server, unless another
change needs the card earlier. Most users answer within this time, and servers limit the number of
sessions."""


class Suspended(Exception):
    """A change cannot continue now and has not ended; it is resumed once the card has been read."""

    def __init__(self, sentence: str, *, cause: LpadError | None = None) -> None:
        super().__init__(sentence)
        self.cause = cause


class Postponed(Exception):
    """A change continues later from its beginning; it has not ended, and does not wait for the card."""

    def __init__(self, pause: Pause, *, failed: bool, notes: Noting) -> None:
        super().__init__(pause.error.sentence)
        self.pause = pause
        self.failed = failed
        self.notes = notes


class Run(RunRecord):
    """One running change; `step`, `progress`, `ask` are for the worker, `answer`, `cancel` for the API.

    `overtake` and `release` are for the queue: they end the change's waits, so that other runs get the card.
    """

    def __init__(
        self,
        change: Change,
        store: ChangeStore,
        *,
        settled: Result | None = None,
        others_wait: Callable[[], bool] = lambda: False,
        released: bool = False,
    ) -> None:
        """Create the run of a change, which `begin` begins.

        Args:
            settled: the result of a change from before the daemon's start that reached its goal.
            others_wait: returns whether other changes wait for the card; called from any thread.
            released: whether the change waits for an answer and has no session with the card.
        """
        super().__init__(change, store)
        self.settled = settled
        self.cancellation = Cancellation()
        """Ends waits when the change is cancelled, a question is answered no, or lpad stops."""
        self.interruption = Cancellation()
        """Ends waits when the change is cancelled, lpad stops, or another change must go first."""
        self.ending = Cancellation()
        """Ends waits only when lpad stops."""
        self._others_wait = others_wait
        self._hold = Hold.RELEASED if released else Hold.WORKING
        self._gave_way = False
        self._answer_by: float | None = None
        self._answer: Answer | None = None
        self._cancelled: str | None = None
        self._undoes = True
        self._stopped = False
        self._bound = False
        self._sent = False
        self._sessions: int | None = None

    def begin(self) -> None:
        """Go from queued to running, or resume an interrupted change.

        An interrupted guarded switch is resumed even if it was cancelled, because its cancellation requires a
        rollback. A change that the card has carried out is also resumed.

        Raises:
            Cancelled: the change was already cancelled.
            InternalError: the record cannot be written.
        """
        on_trial = self._change.guard is not None
        if not on_trial and self.settled is None:
            self.check()
        self._sessions = self.notes.sessions
        restarting = self._change.state is State.RUNNING
        notes = noting(Notes, restarts=self.notes.restarts + 1) if restarting else NOTHING
        queued = self._change.state is State.QUEUED
        record = self._change.run() if queued else self._change.taken_up()
        self._write(record, notes, needed=not on_trial)

    def await_quiet(self, pause: Pause) -> None:
        """Restart the pause of a change that waits for a time without switches, and publish the pause."""
        with self._condition:
            if self._change.pause is not None:
                notes = noting(Notes, due=self.now().steady + overtaking_by_switch.QUIET)
                self._write(replace(self._change, pause=pause), notes, needed=False)

    def continue_in(self, seconds: float) -> None:
        """Store and publish that a pause ends earlier than planned."""
        with self._condition:
            if self._change.pause is not None:
                pause = replace(self._change.pause, retry_at=now() + timedelta(seconds=seconds))
                notes = noting(Notes, due=self.now().steady + seconds)
                self._write(replace(self._change, pause=pause), notes, needed=False)

    def step(self, name: str) -> None:
        """Begin a step that may be repeated after a power cut; a safe point for a cancellation.

        Raises:
            Cancelled: the change was cancelled.
        """
        self.check()
        with self._condition:  # a caller may be answering at this moment
            self._change = self._store.show(self._change.at_step(name))

    def irreversible(self, name: str, notes: Noting = NOTHING) -> None:
        """Begin an irreversible step: it is on disk, with the notes for settling, before it is taken.

        Raises:
            Cancelled: the change was cancelled or overtaken; after this call, it cannot be overtaken.
            InternalError: the record cannot be written; after `bind`, the change continues despite this.
        """
        with self._condition:
            self.check()
            self._hold = after(self._hold, HoldEvent.ALTER)
        self._take(name, notes)

    def on_record(self, name: str, notes: Noting = NOTHING) -> None:
        """Begin a step that is on disk before it is taken, and may still be overtaken.

        Raises:
            Cancelled: the change was cancelled or overtaken.
            InternalError: the record cannot be written; after `bind`, the change continues despite this.
        """
        self.check()
        self._take(name, notes)

    def _take(self, name: str, notes: Noting) -> None:
        with self._condition:
            self._write(self._change.at_step(name), notes, needed=not self._bound)
        self._sent = True

    def nothing_done(self) -> None:
        """Record that the card temporarily refused the command and has done nothing."""
        self._sent = False

    @property
    def unsure(self) -> bool:
        """Whether only the card can show the result of the change."""
        return self._sent or self.settled is not None

    def bind(self) -> None:
        """Record that from now on the change can be neither cancelled nor stopped.

        Even a full disk then does not stop the change, so the journal's last record must lead to the same
        end.
        """
        self._bound = True

    @property
    def stopped(self) -> bool:
        """Whether lpad is stopping."""
        return self._stopped

    @property
    def taken_back(self) -> str | None:
        """Why the change ends at its next safe point; None: the change continues."""
        return self._cancelled

    def ask(
        self,
        kind: QuestionKind,
        *,
        profile: ShownProfile | None,
        code_refused: bool = False,
        reason: str | None = None,
        within: float,
        held: float = HELD,
    ) -> Answer | None:
        """Wait for the caller's answer, as long as no other change needs the card.

        If another change needs the card, the question stays, and this change continues once the question is
        answered: see `released`.

        Args:
            kind: the kind of question.
            profile: the server's offer, as shown to the caller.
            code_refused: whether the server refused an earlier code.
            reason: the reason for the question, in words.
            within: seconds to wait.
            held: seconds for which the card may be occupied meanwhile.

        Returns:
            The answer, or None if none came in time.

        Raises:
            Cancelled: the change was cancelled, or another change gets the card.
        """
        deadline = Deadline.after(within)
        until = now() + timedelta(seconds=within)
        question = Question(kind=kind, until=until, code_refused=code_refused, profile=profile, reason=reason)
        limit = TimeLimit.starting(within, at=self.now()).noted()
        notes = noting(Notes, answer_by=limit, asked=kind.value)
        with self._condition:
            self.check()
            self._answer = None
            self._change = self._store.save(self._change.wait(question), notes=notes)
            self._noted(notes)
            self._answer_by = deadline.at
            self._hold = after(self._hold, HoldEvent.ASK)
            if self._others_wait():
                self.release()
            self._condition.wait_for(self._woken, deadline.within(held).remaining())
            answer = self.given
            if answer is None and self._cancelled is None and not deadline.passed:
                self._hold = after(self._hold, HoldEvent.SHARE)
            if self.released:
                raise Cancelled(f"change {self._change.id} leaves the card to others while it waits")
            if self._hold is Hold.ASKING:
                self._hold = after(self._hold, HoldEvent.GO_ON)
            self._go_on()
        self.check()
        return answer

    def _woken(self) -> bool:
        return self._answer is not None or self._cancelled is not None or self.released

    @property
    def released(self) -> bool:
        """Whether this run has released the card while it waits for an answer."""
        return self._hold is Hold.RELEASED and self._cancelled is None

    @property
    def altered(self) -> bool:
        """Whether the change may have altered the card in this turn."""
        return self._hold is Hold.BEYOND

    @property
    def answer_by(self) -> float | None:
        """The time limit for the answer to the latest question, in monotonic time; None: there was none."""
        return self._answer_by

    def release(self) -> None:
        """Make a change that waits for an answer release the card; any other continues."""
        with self._condition:
            asking = self._hold is Hold.ASKING
            self._hold = after(self._hold, HoldEvent.SHARE)
            if asking:
                self.interruption.cancel(f"change {self._change.id} leaves the card to others")
                self._condition.notify_all()

    def await_answer(self, seconds: float) -> None:
        """Continue to wait for an answer after a restart, for the remaining seconds."""
        with self._condition:
            self._answer_by = time.monotonic() + seconds
            question = self._change.question
            if question is not None:
                until = now() + timedelta(seconds=seconds)
                asked = replace(self._change, question=replace(question, until=until))
                self._write(asked, NOTHING, needed=False)

    def overtake(self, by: str) -> bool:
        """Let another change go first, at the next safe point; return whether that is possible.

        A change that waits for a server stops waiting immediately. After its first irreversible step, a
        change continues, but no longer waits for servers.
        """
        with self._condition:
            on_trial = self._change.guard is not None or self.settled is not None
            if on_trial or self._change.kind not in OVERTAKEN or self._change.state.ended:
                return False
            self._hold = after(self._hold, HoldEvent.OVERTAKE)
            # The waits end last, because the woken thread reads the other fields.
            self.interruption.cancel(f"change {self._change.id} makes way for {by}")
            self._condition.notify_all()
            return self._hold is not Hold.BEYOND

    @property
    def overtaken(self) -> bool:
        """Whether another change goes first; false if this change was cancelled, too."""
        return self._hold is Hold.OVERTAKEN and self._cancelled is None

    def give_way(self) -> None:
        """Record, before anything else, that the change releases the card; a second call does nothing.

        An overtaken change is queued again, or waits for a time without switches; one that waits for an
        answer keeps waiting. The interrupted session is not counted.
        """
        with self._condition:
            if self._gave_way or not (self.overtaken or self.released):
                return
            self._gave_way = True
            record = after_overtaking(self._change) if self.overtaken else self._change
            due = self.now().steady + overtaking_by_switch.QUIET
            notes = noting(Notes, sessions=self._sessions, due=due)
            self._write(record, notes, needed=False)

    @property
    def gave_way(self) -> bool:
        """Whether the journal records that the change releases the card."""
        return self._gave_way

    def renew(self) -> None:
        """Prepare the run for another turn at the card."""
        with self._condition:
            if self._cancelled is None:
                self.interruption = Cancellation()
            self._answer = None
            self._answer_by = None
            self._gave_way = False
            self._hold = after(self._hold, HoldEvent.BEGIN)

    def pose(self, kind: QuestionKind, *, within: float) -> None:
        """Ask the caller without waiting; `given` contains the answer once there is one."""
        with self._condition:
            self._answer = None
            question = Question(kind=kind, until=now() + timedelta(seconds=within))
            self._change = self._store.show(self._change.wait(question))

    @property
    def given(self) -> Answer | None:
        """The answer to the posed question; None as long as there is none."""
        return self._answer

    def withdraw(self) -> None:
        """Withdraw the unanswered question."""
        with self._condition:
            self._go_on()

    def pause(self, *, considered: Answer | None, deadline: Deadline) -> None:
        """Wait until the deadline; an answer or a cancellation ends the wait early.

        Args:
            considered: the answer that was last read from `given`. If `given` already contains a later
                answer, the method returns immediately.
            deadline: the end of the wait.
        """
        with self._condition:
            self._condition.wait_for(
                lambda: self._answer is not considered or self._cancelled is not None, deadline.remaining()
            )

    def answer(self, answer: Answer) -> None:
        """Pass the caller's answer to the change.

        Raises:
            Conflict: the change asks no question, or a different one.
        """
        with self._condition:
            question = self._change.question
            if question is None or self._answer is not None:
                raise Conflict(
                    f"cannot answer change {self._change.id}: it is {self._change.state} and asks no question"
                )
            if not answer.fits(question):
                raise Conflict(f"change {self._change.id} asks a different question: {question.kind}")
            notes = answer.notes(question, code=self.secret(CODE))
            self._answer = answer
            self._go_on(notes, answer.secrets)
            if answer.confirm is False and question.kind is QuestionKind.CONFIRMATION:
                self.cancellation.cancel("the program that was asked answered no")
            self._condition.notify_all()

    @property
    def undoes(self) -> bool:
        """Whether cancelling the change also undoes its work elsewhere, such as an order."""
        return self._undoes

    def cancel(self, sentence: str, *, undo: bool = True) -> None:
        """Cancel the change at its next safe point.

        Args:
            sentence: the reason.
            undo: whether to undo the work that the change has begun elsewhere; only a user's cancellation
                requests this.
        """
        with self._condition:
            if self._cancelled is None:
                self._undoes = undo
            self._cancelled = sentence
            self.cancellation.cancel(sentence)
            self.interruption.cancel(sentence)
            self._go_on()
            self._condition.notify_all()

    def stop(self, sentence: str) -> None:
        """End the change at its next safe point because lpad stops.

        After a restart, a guarded change is resumed, and one that waits for an answer keeps waiting.
        """
        with self._condition:
            self._stopped = True
            self.ending.cancel(sentence)
            self.release()
            if self._hold not in (Hold.OVERTAKEN, Hold.RELEASED):
                self.cancel(sentence)

    def check(self) -> None:
        """Pass a safe point.

        Raises:
            Cancelled: the change was cancelled, or another change goes first.
        """
        if self._cancelled is not None and not self._bound:
            raise Cancelled(self._cancelled)
        if self._hold is Hold.OVERTAKEN:
            self.interruption.check()

    def _go_on(self, notes: Noting = NOTHING, secrets: dict[str, str] | None = None) -> None:
        """Withdraw the question in the answering thread, so that it is no longer shown."""
        if self._change.question is not None:
            # Even on a full disk, the worker must get the answer.
            going_on = self._change.requeued() if self.released else self._change.run()
            self._write(going_on, notes, needed=False, secrets=secrets)
