"""The execution of a change on an open card, after which the change has ended, waits, or is queued again."""

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
from lpad.base.log.log_fields import logged_with
from lpad.engine.change.change import Failure, Kind, Pause, PauseReason, State, now
from lpad.engine.change.notes import DownloadNotes, Notes, noting
from lpad.engine.change.steady_clock import Moment
from lpad.engine.change.time_limit import TimeLimit
from lpad.engine.operations import download_question_answers
from lpad.engine.operations.operations import OPERATIONS, TAKEN_BACK
from lpad.engine.operations.work_after_reconcile import finish
from lpad.engine.recovery import reconcile
from lpad.engine.running.run import Postponed, Suspended
from lpad.engine.switch.guarded_switch import return_from_unreadable
from lpad.engine.worker.queue.retry_rules import doubted, is_of_dates, retry_after, retry_after_stop

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.engine.change.results import Result
    from lpad.engine.recovery.interrupted_changes import Interrupted
    from lpad.engine.running.operation_context import Context
    from lpad.engine.running.run import Run
    from lpad.engine.worker.card_observer import Observer

log = logging.getLogger(__name__)

_WITHOUT_CARD = (Kind.PROBE, Kind.RESTART_MODEM, Kind.LINE)
"""The kinds of changes that are useful while the card is absent."""
_UNCLEAR = (CardUnreachable, CardBusy, CardStatus, CardMalformed)
"""Errors that may occur although the card has carried out the command."""


class Executor:
    """Carries out runs, one after the other."""

    def __init__(
        self,
        context: Context,
        observer: Observer,
        *,
        settle: Callable[[], None],
        interrupted: Interrupted,
        pause: Callable[[Run], bool],
        make_way: Callable[[Run], bool],
    ) -> None:
        self._context = context
        self._observer = observer
        self._settle = settle
        self._interrupted = interrupted
        self._pause = pause
        self._make_way = make_way

    def carry_out(self, run: Run) -> None:
        """Carry out a run; when the method returns, the run has ended, waits, or is queued again."""
        with logged_with(change_id=run.change.id, change_kind=run.change.kind):
            try:
                self._context.card.end_session()
                self._observer.begin_change()
                self._carry_out(run)
            except Exception as error:
                log.exception("change %d: internal-error", run.change.id)
                self.end(run, error)

    def end(self, run: Run, error: Exception) -> None:
        """End a run that has met an internal error, unless it has ended or waits."""
        if run.change.pause is None and run.change.question is None and not run.change.state.ended:
            run.fail(internal_error(run.change.kind, error))

    def refuse(self, run: Run, error: LpadError) -> None:
        """End a run that cannot be carried out now; a download with retries waits instead."""
        with logged_with(change_id=run.change.id, change_kind=run.change.kind):
            try:
                if run.change.kind.downloads:
                    run.begin()
            except LpadError as instead:
                error = instead
            else:
                if self._tried_again(run, error):
                    return
            run.fail(error)

    def _carry_out(self, run: Run) -> None:
        change = run.change
        log.info("change %d (%s) on %s: begins", change.id, change.kind, change.euicc)
        try:
            run.begin()
        except LpadError as error:  # the change was cancelled meanwhile, or the journal cannot be written
            if run.stopped:
                return  # the next start of lpad begins this change again
            if _makes_way(run, error):
                self._keep(run, self._make_way)
            elif not self._tried_again(run, error):
                run.fail(self._taken_back(run, error) if isinstance(error, Cancelled) else error)
        else:
            self._act(run)
        # Any change may have read the card and copied notifications from it.
        if self._observer.copies_owed:
            self._context.outbox.expect_copies()
        else:
            self._context.outbox.wake()
        ended = run.change
        failure = ended.error or (ended.pause.error if ended.pause else None)
        reason = f": {failure.sentence} ({failure.kind})" if failure else ""
        log.log(
            logging.WARNING if ended.state is State.FAILED else logging.INFO,
            "change %d (%s) on %s: %s%s", ended.id, ended.kind, ended.euicc, ended.state, reason,
            extra={"kind": failure.kind} if failure else {},
        )  # fmt: skip

    def _act(self, run: Run) -> None:
        kind = run.change.kind
        try:
            if kind not in _WITHOUT_CARD:
                self._open_first()
            return_from_unreadable(run, self._context)
            settled = run.settled
            result = finish(run, self._context, settled) if settled else OPERATIONS[kind](run, self._context)
        except Suspended as suspended:
            log.info("change %d: %s", run.change.id, suspended)
            self._interrupted.put_back(run.change)
            if suspended.cause is not None:
                self._observer.absent(suspended.cause)
        except Postponed as postponed:
            self._postponed(run, postponed)
        except LpadError as error:
            self._failed(run, error)
        except Exception as error:
            log.exception("change %d: internal-error", run.change.id)
            self._failed(run, internal_error(kind, error))
        else:
            run.done(result)
            if kind.downloads and not settled:
                self._context.environment.reachability.reached()

    def _postponed(self, run: Run, postponed: Postponed) -> None:
        (run.postpone if postponed.failed else run.put_off)(postponed.pause, postponed.notes)
        if postponed.pause.reason is PauseReason.NETWORK:
            self._context.environment.reachability.missed()
        self._keep(run, self._pause)

    def _keep(self, run: Run, waiting: Callable[[Run], bool]) -> None:
        """Let a run wait; end the run if it was cancelled between its work and its wait."""
        if not waiting(run) and run.taken_back is not None:
            run.fail(self._taken_back(run, Cancelled(run.taken_back)))

    def _taken_back(self, run: Run, error: Cancelled) -> Cancelled:
        """Undo the work at the platform after a cancellation; the returned error names any remaining work."""
        undo = TAKEN_BACK.get(run.change.kind)
        left = undo(run, self._context) if undo is not None and not run.stopped else None
        return error if left is None else Cancelled(f"{error.sentence}; {left}")

    def _open_first(self) -> None:
        """Try an absent card now; a returning card may have changes to settle."""
        if not self._observer.ready:
            timeouts = self._context.timeouts
            self._observer.read(seconds=timeouts.open + timeouts.read)
            self._settle()

    def _failed(self, run: Run, error: LpadError) -> None:
        """Read the card after a failure, then end the change: its error is shown with the present state."""
        if _makes_way(run, error):
            run.give_way()
            log.info("change %d: %s", run.change.id, error)
            # The card is not read, because the change that goes first is more urgent.
            self._keep(run, self._make_way)
            return
        if isinstance(error, Cancelled) and run.taken_back is not None and not error.details:
            # The user's cancellation counts, whatever else has ended the waits
            error = Cancelled(run.taken_back)
        if is_of_dates(error) and not self._context.environment.clock.synchronised:
            error = doubted(error, wall=run.now().wall)
        if isinstance(error, CardError) and not self._observer.ready:
            self._observer.absent(error)
        elif not isinstance(error, Cancelled) or run.altered:
            # A cancelled change that has altered nothing ends without another reading of the card.
            self._observer.look(seconds=self._context.timeouts.read)
            self._context.outbox.wake()
        if not (self._tried_again(run, error) or self._left_to_card(run, error)):
            if isinstance(error, Cancelled):
                error = self._taken_back(run, error)
            run.fail(download_question_answers.error_to_tell(run, error))

    def _left_to_card(self, run: Run, error: LpadError) -> bool:
        """Let the card's state decide the result of a change if the card's answer to its command was lost.

        lpad has just tried to read the card; while the card is absent, the change waits for it. A change
        whose goal is reached succeeds, and one that the card has refused fails. Return False if the caller
        must end the change with `error`.
        """
        if not (run.unsure and reconcile.is_found_out(run.change, run.notes) and isinstance(error, _UNCLEAR)):
            return False
        if not self._observer.ready:
            self._await_card(run, error)
            return True
        if run.settled is not None:  # the change is done, and the modem was refreshed as far as possible
            return False
        verdict = self._interrupted.verdict(run.change, self._observer.snapshot)
        if isinstance(verdict, CardRefused):
            run.fail(verdict)
            return True
        if isinstance(verdict, LpadError) or self._nothing_left(run, verdict):
            return False
        self._interrupted.put_back(run.change)
        self._settle()
        return True

    def _nothing_left(self, run: Run, result: Result) -> bool:
        """Return whether a download has installed its profile and run the hooks, but could not enable it.

        Then the error of the enable is more precise than an error derived from the card's state.
        """
        hooks = self._context.card.port.network.hooks.runner is not None
        told = isinstance(run.notes, DownloadNotes) and run.notes.announced
        return (told or not hooks) and reconcile.left_disabled(run.change, result, run.notes) is not None

    def _await_card(self, run: Run, error: LpadError) -> None:
        noted = run.notes.absence
        moment = Moment.now()
        # lpad does not restart the wait if a card keeps disappearing.
        limit = (
            TimeLimit.read(noted).carried_on(moment)
            if noted is not None
            else TimeLimit.starting(self._context.timeouts.absence, at=moment)
        )
        pause = Pause(reason=PauseReason.CARD, since=now(), retry_at=None, error=Failure.of(error))
        run.await_card(pause, noting(Notes, absence=limit.noted()))
        self._interrupted.keep_open(run.change, limit)

    def _tried_again(self, run: Run, error: LpadError) -> bool:
        """Make a download wait for another attempt if that can help; return whether it waits."""
        if not run.change.kind.downloads or run.change.guard is not None:
            return False  # the guarded switch has ended
        if run.settled is not None:
            return False  # only the change's work outside the card was left
        if reconcile.is_left_to_card(run.notes):
            return False  # the change only waits for the card to show its result
        around = self._context.environment
        if isinstance(error, Cancelled):
            retry = retry_after_stop(run.change, error) if run.stopped else None
        else:
            retry = retry_after(
                run.change,
                error,
                notes=run.notes_of(DownloadNotes),
                tried=run.tried_time(),
                moment=run.now(),
                card_there=self._observer.ready,
                synchronised=not isinstance(error, ServerUntrusted)
                or self._context.environment.clock.synchronised,
            )
        if retry is None:
            return False
        run.postpone(retry.pause, retry.notes)
        if retry.pause.reason is PauseReason.NETWORK:
            around.reachability.missed()
        self._keep(run, self._pause)
        if retry.pause.reason is PauseReason.TIME:
            around.clock.await_set()
        return True


def _makes_way(run: Run, error: LpadError) -> bool:
    """Return whether an error means that a change releases the card and continues later."""
    return isinstance(error, Cancelled) and (run.overtaken or run.released)
