"""Watching over a switch: each condition of its guard is awaited, until all were met or the time is over.

Registration comes first, since no probe can succeed before; then the probes, each until it has succeeded
once. A confirmation may come at any time. A modem that is borrowed is given back for the probes: whoever
makes its connections can't make any while lpad holds the port.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from lpad.base.condition import Condition, ConditionKind
from lpad.base.deadline import Deadline
from lpad.base.errors import CardError, Conflict, InvalidValue
from lpad.card.modem.registration import ASKED_AGAIN, RegistrationWatch, registrations
from lpad.engine.change.change import QuestionKind
from lpad.engine.running.condition_look import (
    NOT_EVALUATED,
    SOURCES,
    Look,
    Source,
    ask_network,
    look,
    not_evaluable,
)
from lpad.engine.running.run import Suspended

if TYPE_CHECKING:
    from lpad.engine.change.guard import Guard
    from lpad.engine.running.context import Context
    from lpad.engine.running.run import Run

log = logging.getLogger(__name__)

STEADY = 5.0
"""Seconds for which a modem must stay registered: right after a switch some tell of the old network."""
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 15.0
_LISTENING = 1.0
"""Seconds after which whoever listens to a modem looks whether the change was taken back."""
_PROBE = 15.0
"""Seconds for one attempt of a probe."""
_CLOSING = 5.0
_NOBODY = "nobody has confirmed"
_NOT_EVALUATED = ("not-evaluated", "lpad cannot evaluate all of its conditions")


class UnmetError(Exception):
    """The guard is not met and never will be; `reason` is stable."""

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason


def check_possible(context: Context, conditions: tuple[Condition, ...], *, deadline: Deadline) -> None:
    """See that the conditions can be looked at at all, before anything is sent.

    Raises:
        Conflict: registration is asked for and there is no modem, or none that tells; or lpad can't evaluate
            a condition.
        CardError: the port is gone.
    """
    for each in not_evaluable(conditions):
        raise Conflict(f"can't guard the switch by '{each}': {NOT_EVALUATED}; use another condition")
    if not any(each.kind is ConditionKind.REGISTERED for each in conditions):
        return
    instead = "guard the switch by a probe or by a confirmation instead"
    with context.card.open(deadline=deadline).lend_modem(deadline=deadline) as lent:
        if lent is None:
            raise Conflict(
                "can't guard the switch by registration: the card is in a reader, and lpad sees no modem;"
                f" {instead}"
            )
        if not registrations(lent.modem, deadline=deadline):
            raise Conflict(
                "can't guard the switch by registration: the modem knows none of AT+CEREG, AT+C5GREG and"
                f" AT+CGREG; {instead}"
            )


class ConditionWatch:
    """One guard while it is awaited."""

    def __init__(self, run: Run, context: Context, guard: Guard, *, deadline: Deadline) -> None:
        self._run = run
        self._context = context
        self._deadline = deadline
        self._eyes = {
            Source.MODEM: self._ask_modem,
            Source.NETWORK: self._ask_network,
            Source.CALLER: self._ask_caller,
        }
        self._next_pause = FIRST_PAUSE
        self.guard = guard
        """What was seen so far."""

    def run(self) -> None:
        """Return once all conditions were met.

        Raises:
            UnmetError: they were not, somebody said no, or lpad can't evaluate one.
            Suspended: lpad is stopped.
        """
        self._conditions = self._evaluable()
        self._pose()
        try:
            for source in Source:
                self._await(source)
        finally:
            self._run.withdraw()

    def _evaluable(self) -> list[Condition]:
        """Read the conditions; a newer lpad may have accepted some that this one can't evaluate."""
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
            if source is Source.NETWORK and self._waiting(source):
                self._rest()
        if source is Source.MODEM and self._context.card.port.loan is not None:
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
        """See whether there is still something to wait for."""
        if self._run.stopped:
            raise Suspended("lpad is stopped while a switch is guarded")
        if self._run.taken_back is not None:
            raise UnmetError("taken-back", "it was taken back")
        given = self._run.given
        if given is not None and given.confirm is False:
            raise UnmetError("refused", "the program that was asked said no")
        if self._deadline.passed:
            raise UnmetError("time-limit", "the time is over")

    def _rest(self) -> None:
        self._run.pause(deadline=self._deadline.within(self._next_pause))
        self._next_pause = min(self._next_pause * 2, LONGEST_PAUSE)

    def _pose(self) -> None:
        for condition in self._waiting(Source.CALLER):
            if self._run.notes.get("confirmed") is True:
                self._saw(condition, "confirmed", met=True)
            elif self._run.notes.get("confirmed") is False:
                raise UnmetError("refused", "the program that was asked said no")
            else:
                self._saw(condition, _NOBODY)
                self._run.pose(QuestionKind.CONFIRMATION, within=self._deadline.remaining())

    def _ask_modem(self, condition: Condition, deadline: Deadline) -> Look:
        """Listen for a while; a port that is shared with another card is let go of in between."""
        self._check()
        opening = deadline.within(self._context.timeouts.open)
        try:
            with self._context.card.open(deadline=opening).lend_modem(deadline=opening) as lent:
                if lent is None:
                    raise UnmetError("no-modem", "there is no modem any more")
                watch = RegistrationWatch(lent.modem, deadline=opening)
                try:
                    return self._follow(watch, condition)
                finally:
                    watch.end(deadline=Deadline.after(_CLOSING))
        except CardError as error:
            # The modem restarts, or its port has gone: it may be back before the time is over.
            self._saw(condition, error.sentence)
            self._context.card.drop()
            self._rest()
            return Look(met=False, seen=error.sentence)

    def _follow(self, watch: RegistrationWatch, condition: Condition) -> Look:
        until = self._deadline.within(ASKED_AGAIN)
        steady: Deadline | None = None
        while True:
            if not watch.registered:
                steady = None
            elif steady is None:
                steady = Deadline.after(STEADY)
                until = steady
            elif steady.passed:
                watch.ask(deadline=self._deadline.within(_CLOSING))
                # Noted here: closing the port may fail, and one that was met stays met.
                self._saw(condition, _told(watch), met=watch.registered)
                return Look(met=watch.registered, seen=_told(watch))
            self._saw(condition, _told(watch))
            self._check()
            if until.passed and steady is None:
                return Look(met=False, seen=_told(watch))
            watch.listen(deadline=until.within(_LISTENING))

    def _ask_network(self, condition: Condition, deadline: Deadline) -> Look:
        self._check()
        return ask_network(condition, deadline.within(_PROBE))

    def _ask_caller(self, _condition: Condition, deadline: Deadline) -> Look:
        given = self._run.given
        if given is not None and given.confirm:
            return Look(met=True, seen="confirmed")
        self._check()
        self._run.pause(deadline=deadline)
        return Look(met=False, seen=_NOBODY)


def _told(watch: RegistrationWatch) -> str:
    return ", ".join(map(str, watch.status)) or "the modem tells nothing"
