"""The execution of a change: begun, carried out on an open card, and ended, whatever happens in between."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from lpad.base.errors import (
    Cancelled,
    CardBusy,
    CardError,
    CardMalformed,
    CardRefused,
    CardStatus,
    CardUnreachable,
    LpadError,
    ServerUntrusted,
    internal_error,
)
from lpad.base.log_fields import logged_with
from lpad.engine.change.change import Failure, Kind, Pause, PauseReason, State, now
from lpad.engine.change.time_limit import Moment, TimeLimit
from lpad.engine.operations.operations import OPERATIONS
from lpad.engine.recovery import reconcile
from lpad.engine.running.run import Suspended
from lpad.engine.switch.switch import see_through
from lpad.engine.worker.retry_rules import retry_after, retry_after_stop

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.engine.recovery.interrupted import Unsettled
    from lpad.engine.running.context import Means
    from lpad.engine.running.run import Job
    from lpad.engine.worker.observer import Observer

log = logging.getLogger(__name__)

_UNCLEAR = (CardUnreachable, CardBusy, CardStatus, CardMalformed)
"""What may come in place of the answer of a card that has done what it was asked."""


class Execution:
    """Carries out one job after the other."""

    def __init__(
        self,
        means: Means,
        observer: Observer,
        *,
        settle: Callable[[], None],
        unsettled: Unsettled,
        pause: Callable[[Job], None],
    ) -> None:
        """Prepare.

        Args:
            means: what operations work with.
            observer: says what is known of the card.
            settle: called when a card that was absent has been read.
            unsettled: takes a change that goes on, or whose end is known, once the card has been read again.
            pause: takes a change that waits for another attempt.
        """
        self._means = means
        self._observer = observer
        self._settle = settle
        self._unsettled = unsettled
        self._pause = pause

    def carry_out(self, job: Job) -> None:
        """Carry out a job; it has ended when this returns, or was put back."""
        with logged_with(change_id=job.change.id, change_kind=job.change.kind):
            self._carry_out(job)

    def refuse(self, job: Job, error: LpadError) -> None:
        """End a job that can't be carried out as things are; a download that may be tried again waits."""
        with logged_with(change_id=job.change.id, change_kind=job.change.kind):
            try:
                if job.change.kind is Kind.DOWNLOAD:
                    job.begin()
            except LpadError as instead:
                error = instead
            else:
                if self._tried_again(job, error):
                    return
            job.fail(error)

    def _carry_out(self, job: Job) -> None:
        change = job.change
        log.info("change %d (%s) on %s: begins", change.id, change.kind, change.euicc)
        try:
            job.begin()
        except LpadError as error:  # taken back meanwhile, or the journal can't be written
            if job.stopped:
                return  # it stays as it is for the next start
            if not self._tried_again(job, error):
                job.fail(error)
        else:
            self._act(job)
        # Whatever the change was, the card may have been read and notifications copied from it.
        self._means.outbox.wake()
        ended = job.change
        failure = ended.error or (ended.pause.error if ended.pause else None)
        reason = f": {failure.sentence} ({failure.kind})" if failure else ""
        log.log(
            logging.WARNING if ended.state is State.FAILED else logging.INFO,
            "change %d (%s) on %s: %s%s", ended.id, ended.kind, ended.euicc, ended.state, reason,
            extra={"kind": failure.kind} if failure else {},
        )  # fmt: skip

    def _act(self, job: Job) -> None:
        kind = job.change.kind
        try:
            if kind is not Kind.PROBE:  # which reports of a card that is absent, too
                self._open_first()
            if job.settled is not None:
                result = see_through(job, self._means, job.settled)
            else:
                result = OPERATIONS[kind](job, self._means)
        except Suspended as suspended:
            log.info("change %d: %s", job.change.id, suspended)
            self._unsettled.put_back(job.change)
            if suspended.cause is not None:
                self._observer.absent(suspended.cause)
        except LpadError as error:
            self._failed(job, error)
        except Exception as error:
            log.exception("change %d: internal-error", job.change.id)
            self._failed(job, internal_error(kind, error))
        else:
            job.done(result)
            if kind is Kind.DOWNLOAD:
                self._means.surroundings.connectivity.reached()

    def _open_first(self) -> None:
        """Look for an absent card now; a card that comes back may bring changes to settle."""
        if not self._observer.ready:
            patience = self._means.patience
            self._observer.read(seconds=patience.open + patience.read)
            self._settle()

    def _failed(self, job: Job, error: LpadError) -> None:
        """Read the card after a failure, then end the change: who reads the error sees the present state."""
        if isinstance(error, CardError) and not self._observer.ready:
            self._observer.absent(error)
        else:
            self._observer.look(seconds=self._means.patience.read)
            self._means.outbox.wake()
        if not (self._tried_again(job, error) or self._left_to_card(job, error)):
            job.fail(error)

    def _left_to_card(self, job: Job, error: LpadError) -> bool:
        """Leave it to the card to tell what became of a change whose answer was lost.

        One that is there again has just been read: done is done, and else its own word, or the error, says
        why not.
        """
        if not (job.unsure and reconcile.is_found_out(job.change, job.notes) and isinstance(error, _UNCLEAR)):
            return False
        if not self._observer.ready:
            self._await_card(job, error)
            return True
        if job.settled is not None:  # it is done, and the modem was helped as far as that goes
            return False
        verdict = self._unsettled.verdict(job.change, self._observer.snapshot)
        if isinstance(verdict, CardRefused):
            job.fail(verdict)
            return True
        if isinstance(verdict, LpadError):
            return False
        self._unsettled.put_back(job.change)
        self._settle()
        return True

    def _await_card(self, job: Job, error: LpadError) -> None:
        noted = job.notes.get(reconcile.LIMIT)
        moment = Moment.now()
        # One that goes away again and again is not waited for anew each time.
        limit = (
            TimeLimit.read(noted).carried_on(moment)
            if isinstance(noted, dict)
            else TimeLimit.starting(self._means.patience.absence, at=moment)
        )
        pause = Pause(reason=PauseReason.CARD, since=now(), retry_at=None, error=Failure.of(error))
        job.await_card(pause, **{reconcile.LIMIT: limit.noted()})
        self._unsettled.keep_open(job.change, limit)

    def _tried_again(self, job: Job, error: LpadError) -> bool:
        """Have a download wait for another attempt, where one can help."""
        if job.change.kind is not Kind.DOWNLOAD or job.change.guard is not None:
            return False  # what was on trial has had its end
        if reconcile.is_left_to_card(job.notes):
            return False  # it has had its attempts
        around = self._means.surroundings
        if isinstance(error, Cancelled):
            retry = retry_after_stop(job.change, error) if job.stopped else None
        else:
            retry = retry_after(
                job.change,
                error,
                notes=job.notes,
                card_there=self._observer.ready,
                synchronised=not isinstance(error, ServerUntrusted)
                or self._means.surroundings.clock.synchronised,
            )
        if retry is None:
            return False
        job.postpone(retry.pause, **retry.notes)
        if retry.pause.reason is PauseReason.NETWORK:
            around.connectivity.missed()
        self._pause(job)
        if retry.pause.reason is PauseReason.TIME:
            around.clock.await_set()
        return True
