"""Watching the conditions of a guard until all are met or the time limit has passed.

The registration is checked first, because no host can be reached without it. Then each check of the
connection, and after that each reachability check, is repeated until it has succeeded once. A confirmation
may come at any time. A borrowed modem is returned after the check of the registration, because its owner
cannot connect while lpad uses the port.

lpad observes nothing while it is suspended or does not run. If the time limit passes meanwhile, lpad checks
each unmet condition except a confirmation again. After a restart of the device or the modem, the checks last
for up to a minute, because the modem must first find its network; otherwise each condition is checked once.
"""

from __future__ import annotations

import logging
import math
import time
from typing import TYPE_CHECKING

from msgspec.structs import replace

from lpad.base.deadline import Deadline
from lpad.base.errors import Cancelled, CardError, InvalidValue
from lpad.base.guard_condition import Condition, ConditionKind
from lpad.card.modem.cme_errors import how_to_unlock
from lpad.card.modem.registration_watch import ASKED_AGAIN, RegistrationWatch
from lpad.engine.change.change import QuestionKind
from lpad.engine.change.notes import SwitchNotes, noting
from lpad.engine.running.condition_check import (
    NOT_EVALUATED,
    SOURCES,
    Look,
    Source,
    ask_network,
    look,
    not_evaluable,
)
from lpad.engine.running.run import Suspended
from lpad.engine.switch.alternative_network_settings import Alternatives
from lpad.network.applier_interface import State
from lpad.network.connection_layer_names import Layer
from lpad.network.reject_cause import Cause, Procedure

if TYPE_CHECKING:
    from lpad.card.modem.modem_lent_by_link import LentModem
    from lpad.engine.change.guard import Guard
    from lpad.engine.running.change_question_answer import Answer
    from lpad.engine.running.operation_context import Context
    from lpad.engine.running.run import Run
    from lpad.engine.switch.applier_and_hook_steps import NetworkSteps
    from lpad.engine.switch.standstill_detection import Standstill

log = logging.getLogger(__name__)

STEADY = 5.0
"""Seconds for which a modem must stay registered, because right after a switch some modems still
report the old network."""
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 15.0
_LISTENING = 1.0
"""Seconds between two checks for a cancellation during a wait for the modem."""
_REACHABILITY_CHECK = 15.0
"""Seconds for one attempt of a reachability check."""
_CLOSING = 5.0
LAST_LOOK = 60.0
"""Seconds for the last check, if the time limit passed during a standstill or a restart."""
_LAST_LISTENING = 5.0
"""Seconds to wait for an unregistered modem if the last check is made only once."""
_NOBODY = "no program has confirmed it"
_TIME_LIMIT = ("time-limit", "the time limit has passed")
_NOT_EVALUATED = ("not-evaluated", "lpad cannot evaluate all of the guard's conditions")


class UnmetError(Exception):
    """The guard was not met and can no longer be met; the values of `reason` are stable."""

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason


class ConditionWatch:
    """The watch of one guard."""

    def __init__(
        self,
        run: Run,
        context: Context,
        guard: Guard,
        *,
        deadline: Deadline,
        standstill: Standstill,
        network: NetworkSteps,
        ends_on_lock: bool = False,
        started_anew: bool = False,
    ) -> None:
        """Create the watch, which `run` begins.

        Args:
            standstill: reports when lpad did not run.
            network: the steps of the profile's network settings.
            ends_on_lock: whether the watch ends as soon as the SIM requires a code, which no user can enter.
            started_anew: whether the device or modem may have restarted, so that a last check must wait for
                the network.
        """
        self._run = run
        self._context = context
        self._deadline = deadline
        self._standstill = standstill
        self._network = network
        self._ends_on_lock = ends_on_lock
        self._alternatives = Alternatives()
        self._denied = False
        self.cause: Cause | None = None
        """The network's latest reason for refusing the modem or its bearer."""
        self._started_anew = started_anew
        self._looked_at: dict[str, float] = {}
        self._last_look = math.inf
        self._eyes = {
            Source.MODEM: self._ask_modem,
            Source.CONNECTION: self._ask_connection,
            Source.NETWORK: self._ask_network,
            Source.CALLER: self._ask_caller,
        }
        self._next_pause = FIRST_PAUSE
        self._considered: Answer | None = None
        """The latest answer that a check has read, or that has ended a pause."""
        self.guard = guard
        """The guard with all observations so far."""

    @property
    def _notes(self) -> SwitchNotes:
        return self._run.notes_of(SwitchNotes)

    def run(self) -> None:
        """Return once all conditions are met.

        Raises:
            UnmetError: the guard was not met, for example because the time limit has passed.
            Suspended: lpad is stopping.
        """
        self._conditions = self._evaluable()
        self._pose()
        try:
            for source in Source:
                self._await(source)
                if source is Source.MODEM:
                    self._network.connect()
        finally:
            self._run.withdraw()

    def _evaluable(self) -> list[Condition]:
        """Return the unmet conditions; fail if one is from a newer lpad release and cannot be evaluated."""
        conditions = []
        for each in self.guard.unmet:
            try:
                conditions.append(Condition.parse(each.condition))
            except InvalidValue:
                self._saw(each.condition, NOT_EVALUATED)
        for condition in not_evaluable(conditions):
            self._saw(condition, NOT_EVALUATED)
            conditions.remove(condition)
        if len(conditions) < len(self.guard.unmet):
            raise UnmetError(*_NOT_EVALUATED)
        return conditions

    def _await(self, source: Source) -> None:
        self._next_pause = FIRST_PAUSE
        while waiting := self._waiting(source):
            for condition in waiting:
                found = look(condition, self._eyes, deadline=self._deadline)
                self._saw(condition, found.seen, met=found.met is True)
                if found.met is None:
                    raise UnmetError(*_NOT_EVALUATED)
                if not (found.met or self._started_anew) and self._seen_at(condition) >= self._last_look:
                    raise UnmetError(*_TIME_LIMIT)
            if source in (Source.CONNECTION, Source.NETWORK) and self._waiting(source):
                self._rest()
        if source is Source.MODEM and self._context.card.port.loan.was_lent:
            self._context.card.give_back()

    def _waiting(self, source: Source) -> list[Condition]:
        unmet = {each.condition for each in self.guard.unmet}
        return [each for each in self._conditions if SOURCES[each.kind] is source and str(each) in unmet]

    def _saw(self, condition: Condition | str, seen: str, *, met: bool = False) -> None:
        guard = self.guard.saw(str(condition), met=met, seen=seen)
        if guard != self.guard:
            self.guard = guard
            log.info("change %d: %s: %s", self._run.change.id, condition, seen)
            self._run.show_guard(guard)

    def _check(self) -> None:
        """Raise an error if the wait must end; begin the last check if the time limit has passed."""
        if self._run.stopped:
            raise Suspended("lpad is stopping during a guarded switch")
        if self._run.taken_back is not None:
            raise UnmetError("taken-back", "the switch was cancelled")
        self._considered = given = self._run.given
        if given is not None and given.confirm is False:
            raise UnmetError("refused", "the confirming program answered no")
        if self._deadline.passed:
            self._time_is_over()

    def _time_is_over(self) -> None:
        """Begin the last check if lpad has hardly checked since a standstill or its start; otherwise fail.

        Raises:
            UnmetError: all conditions were checked, or no program has confirmed the switch.
        """
        confirmed = self._run.given is not None and self._run.given.confirm
        missing = bool(self._waiting(Source.CALLER)) and not confirmed
        looked_again = self._last_look < math.inf or self._notes.looked_again
        if missing or looked_again or not self._hardly_seen():
            raise UnmetError(*_TIME_LIMIT)
        log.info(
            "change %d: the guard's time limit passed during or just after a time in which lpad did not run;"
            " lpad checks the conditions once more",
            self._run.change.id,
        )
        self._last_look = time.monotonic()
        self._deadline = Deadline.after(LAST_LOOK)
        self._next_pause = FIRST_PAUSE

    def _hardly_seen(self) -> bool:
        """Return whether there was too little time to check each condition since a standstill."""
        last = self._standstill.last
        waiting = [
            each
            for source in (Source.MODEM, Source.CONNECTION, Source.NETWORK)
            for each in self._waiting(source)
        ]
        recent = time.monotonic() - last < LAST_LOOK
        return bool(waiting) and (recent or any(self._seen_at(each) < last for each in waiting))

    def _looks(self, condition: Condition) -> None:
        """Record the start of a check, on disk if it is the last one."""
        self._looked_at[str(condition)] = time.monotonic()
        if self._last_look < math.inf and not self._notes.looked_again:
            # A device that fails repeatedly under the new profile must return to the previous one.
            self._run.guarded(self.guard, noting(SwitchNotes, looked_again=True), needed=False)

    def _seen_at(self, condition: Condition) -> float:
        return self._looked_at.get(str(condition), -math.inf)

    def _rest(self) -> None:
        self._run.pause(considered=self._considered, deadline=self._deadline.within(self._next_pause))
        self._considered = self._run.given
        self._next_pause = min(self._next_pause * 2, LONGEST_PAUSE)

    def _pose(self) -> None:
        for condition in self._waiting(Source.CALLER):
            if self._notes.confirmed is True:
                self._saw(condition, "confirmed", met=True)
            elif self._notes.confirmed is False:
                raise UnmetError("refused", "the confirming program answered no")
            else:
                self._saw(condition, _NOBODY)
                self._check()
                self._run.pose(QuestionKind.CONFIRMATION, within=self._deadline.remaining())

    def _ask_modem(self, condition: Condition, _deadline: Deadline) -> Look:
        """Await the registration for a limited time; then release the port, which another card may share."""
        self._check()
        opening = self._deadline.within(self._context.timeouts.open)
        try:
            with self._context.card.open(deadline=opening).lend_modem(deadline=opening) as lent:
                if lent is None:
                    raise UnmetError("no-modem", "the modem has disappeared")
                watch = RegistrationWatch(lent.modem, deadline=opening)
                self._looks(condition)
                try:
                    found = self._follow(watch, condition)
                finally:
                    watch.end(deadline=Deadline.after(_CLOSING))
                if not found.met:
                    found = self._explained(found, lent)
                    cause = None if self.cause is None else str(self.cause)
                    self._network.saw(Layer.REGISTERED, up=False, cause=cause, told=found.seen)
        except CardError as error:
            # The modem restarts, or its port has disappeared; both may return before the time limit passes.
            # If the limit itself ended the query, the earlier observation is the better explanation.
            seen = (self.guard.seen(str(condition)) if self._deadline.passed else None) or error.sentence
            self._saw(condition, seen)
            self._context.card.drop(error)
            if self._seen_at(condition) < self._last_look < math.inf:
                raise Suspended("the last check waits for the port", cause=error) from error
            self._rest()
            return Look(met=False, seen=seen)
        if not found.met:
            self._try_other_settings()
        return found

    def _follow(self, watch: RegistrationWatch, condition: Condition) -> Look:
        once = self._last_look < math.inf and not self._started_anew
        until = self._deadline.within(_LAST_LISTENING if once else ASKED_AGAIN)
        steady: Deadline | None = None
        while True:
            if not watch.registered:
                steady = None
            elif steady is None:
                steady = Deadline.after(STEADY)
                until = steady
            elif steady.passed:
                watch.ask(deadline=self._deadline.within(_CLOSING))
                # Record the result now: closing the port may fail, and a met condition must remain met.
                self._saw(condition, _told(watch), met=watch.registered)
                if watch.registered:
                    self._network.saw(Layer.REGISTERED, up=True, told=_told(watch))
                return Look(met=watch.registered, seen=_told(watch))
            self._saw(condition, _told(watch))
            self._check()
            if self._ends_on_lock and watch.lock is not None and not watch.registered:
                raise UnmetError("sim-locked", f"the modem requires the {watch.lock}")
            if watch.denied and not self._denied and steady is None:
                # lpad asks for the cause immediately the first time, and later at the usual interval.
                self._denied = True
                return Look(met=False, seen=_told(watch))
            if until.passed and steady is None:
                return Look(met=False, seen=_told(watch))
            watch.listen(deadline=until.within(_LISTENING))

    def _explained(self, found: Look, lent: LentModem) -> Look:
        """Add the network's reason for the refusal to the observation of an unregistered modem."""
        told = lent.modem.reject_cause(deadline=Deadline.after(_CLOSING))
        causes = [] if told.emm is None else [Cause(Procedure.EMM, told.emm)]
        causes += [] if told.esm is None else [Cause(Procedure.ESM, told.esm)]
        if not causes:
            return found
        self.cause = causes[-1]
        seen = "; ".join([found.seen, *map(str, causes)])
        return Look(met=False, seen=seen)

    def _try_other_settings(self) -> None:
        """Try the empty APN, or the other IP type, if the network's cause means wrong settings."""
        other = self._alternatives.next(self.cause, self._network.settings)
        if other is not None and not self._deadline.passed:
            log.info("change %d: %s; trying %s", self._run.change.id, self.cause, other.told)
            self.cause = None
            self._network.try_instead(other)
            self._denied = False

    def _ask_connection(self, condition: Condition, _deadline: Deadline) -> Look:
        self._check()
        self._looks(condition)
        connection = self._network.look()
        sight = connection.bearer if condition.kind is ConditionKind.BEARER else connection.address
        told = sight.told or f"the applier does not know whether there is a {condition.kind}"
        if sight.state is State.UP:
            return Look(met=True, seen=told)
        self.cause = connection.bearer.cause or self.cause
        self._try_other_settings()
        if connection.bearer.state is State.DOWN and self.cause is None:
            self._network.connect_again()  # the program that makes the connection may have been restarted
        return Look(met=False, seen=told)

    def _ask_network(self, condition: Condition, _deadline: Deadline) -> Look:
        self._check()
        self._looks(condition)
        deadline = replace(self._deadline.within(_REACHABILITY_CHECK), cancellation=self._run.cancellation)
        try:
            found = ask_network(condition, deadline)
        except Cancelled:
            self._check()  # raises the error that explains the cancellation
            raise
        # If a guard has several reachability checks, one success does not show that the path works.
        if not found.met or self._waiting(Source.NETWORK) == [condition]:
            self._network.saw(Layer.PATH, up=found.met is True, told=found.seen)
        return found

    def _ask_caller(self, _condition: Condition, deadline: Deadline) -> Look:
        given = self._run.given
        if given is not None and given.confirm:
            return Look(met=True, seen="confirmed")
        self._check()
        self._run.pause(considered=given, deadline=deadline)
        return Look(met=False, seen=_NOBODY)


def _told(watch: RegistrationWatch) -> str:
    told = ", ".join(map(str, watch.status)) or "the modem reports nothing"
    if watch.lock is not None and not watch.registered:
        told += f"; the modem requires the {watch.lock}: {how_to_unlock(watch.lock)}"
    return told
