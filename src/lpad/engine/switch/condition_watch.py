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
from lpad.base.errors import CardError, Conflict, ServerError
from lpad.card.modem.registration import ASKED_AGAIN, RegistrationWatch, registrations
from lpad.engine.change.change import QuestionKind
from lpad.engine.running.run import Suspended
from lpad.remote.reachability import reach

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


class UnmetError(Exception):
    """The guard is not met and never will be; `reason` is stable."""

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason


def check_possible(context: Context, conditions: tuple[Condition, ...], *, deadline: Deadline) -> None:
    """See that the conditions can be looked at at all, before anything is sent.

    Raises:
        Conflict: registration is asked for and there is no modem, or none that tells.
        CardError: the port is gone.
    """
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
        self._conditions = tuple(Condition.parse(each.condition) for each in guard.requirements)
        self.guard = guard
        """What was seen so far."""

    def run(self) -> None:
        """Return once all conditions were met.

        Raises:
            UnmetError: they were not, or somebody said no.
            Suspended: lpad is stopped.
        """
        self._pose()
        try:
            self._await_registration()
            self._await_probes()
            self._await_confirmation()
        finally:
            self._run.withdraw()

    def _of(self, *kinds: ConditionKind) -> list[Condition]:
        met = {each.condition for each in self.guard.requirements if each.met}
        return [each for each in self._conditions if each.kind in kinds and str(each) not in met]

    def _saw(self, condition: Condition, seen: str, *, met: bool = False) -> None:
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

    def _pause(self, seconds: float) -> None:
        self._run.pause(deadline=self._deadline.within(seconds))

    def _pose(self) -> None:
        for condition in self._of(ConditionKind.CONFIRM):
            if self._run.notes.get("confirmed") is True:
                self._saw(condition, "confirmed", met=True)
            elif self._run.notes.get("confirmed") is False:
                raise UnmetError("refused", "the program that was asked said no")
            else:
                self._saw(condition, "nobody has confirmed")
                self._run.pose(QuestionKind.CONFIRMATION, within=self._deadline.remaining())

    def _await_registration(self) -> None:
        for condition in self._of(ConditionKind.REGISTERED):
            pause = FIRST_PAUSE
            while self._of(ConditionKind.REGISTERED):
                self._check()
                try:
                    self._listen(condition)
                except CardError as error:
                    # The modem restarts, or its port has gone: it may be back before the time is over.
                    self._saw(condition, error.sentence)
                    self._context.card.drop()
                    self._pause(pause)
                    pause = min(pause * 2, LONGEST_PAUSE)
        if self._context.card.port.loan is not None:
            self._context.card.give_back()

    def _listen(self, condition: Condition) -> None:
        """Listen for a while; a port that is shared with another card is let go of in between."""
        opening = self._deadline.within(self._context.timeouts.open)
        with self._context.card.open(deadline=opening).lend_modem(deadline=opening) as lent:
            if lent is None:
                raise UnmetError("no-modem", "there is no modem any more")
            watch = RegistrationWatch(lent.modem, deadline=opening)
            try:
                self._follow(watch, condition)
            finally:
                watch.end(deadline=Deadline.after(_CLOSING))

    def _follow(self, watch: RegistrationWatch, condition: Condition) -> None:
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
                self._saw(condition, _told(watch), met=watch.registered)
                return
            self._saw(condition, _told(watch))
            self._check()
            if until.passed and steady is None:
                return
            watch.listen(deadline=until.within(_LISTENING))

    def _await_probes(self) -> None:
        kinds = (ConditionKind.TCP, ConditionKind.HTTP, ConditionKind.HTTPS, ConditionKind.DNS)
        pause = FIRST_PAUSE
        while probes := self._of(*kinds):
            for condition in probes:
                self._check()
                try:
                    seen = reach(condition, deadline=self._deadline.within(_PROBE))
                except ServerError as error:
                    self._saw(condition, error.sentence)
                else:
                    self._saw(condition, seen, met=True)
            if self._of(*kinds):
                self._pause(pause)
                pause = min(pause * 2, LONGEST_PAUSE)

    def _await_confirmation(self) -> None:
        for condition in self._of(ConditionKind.CONFIRM):
            while True:
                given = self._run.given
                if given is not None and given.confirm:
                    self._saw(condition, "confirmed", met=True)
                    return
                self._check()
                self._run.pause(deadline=self._deadline)


def _told(watch: RegistrationWatch) -> str:
    return ", ".join(map(str, watch.status)) or "the modem tells nothing"
