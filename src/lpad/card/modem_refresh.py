"""After a switch: see that the modem reads the new profile, and make it where it doesn't by itself.

The card is asked first, since a modem may not have carried out its REFRESH yet; then the modem, which
ICCID it reads. As long as that is another one, the ladder of the modem's quirks is climbed: wait, power
the SIM, the radio, the modem itself down and up. Where nothing but lpad reads the card, as in a reader,
and where a modem tells no ICCID, the card's own word is what counts.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Protocol

from lpad.base.deadline import Deadline
from lpad.base.errors import CardBusy, CardError, CardMalformed, CardUnreachable, MalformedError
from lpad.card.modem.powered_down import bring_up, send
from lpad.card.port.link_refused import LinkRefused
from lpad.card.quirks.quirks import RefreshStep, Step
from lpad.protocol.iccid_answer import iccid_command, iccid_told

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.base.identifiers import Iccid
    from lpad.card.link.link import Link
    from lpad.card.modem.lent_modem import LentModem

_log = logging.getLogger(__name__)

RESTART = 45.0
"""Seconds that a card may take for its REFRESH where no quirks say how long the modem may take."""
FIRST_PAUSE = 0.25
LONGEST_PAUSE = 4.0
_HEARD = 2.0
"""Seconds in which a modem that announces what it reads mostly has: asking earlier would disturb it."""
_PORT_AWAY = 90.0
"""Seconds for which a port may be gone, on top of a step's own."""
_GOING = 10.0
"""Seconds until a port goes, after the command that makes it go was answered."""
_LOOKING = 5.0
"""Seconds for one look at least, also where a step's time is nearly over."""
_BRINGING_UP = 120.0
_REBOOTED = ("RDY", "^SYSSTART", "+CFUN")
"""How lines begin that modems say when they have started."""


class Access(Protocol):
    """The card, as whoever switched it holds it."""

    def open(self, *, deadline: Deadline) -> Link:
        """Return the open link.

        Raises:
            CardError: it can't be opened.
        """
        ...

    def drop(self) -> None:
        """Close the link; the next use opens it again."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """What the card holds now that the switch is done."""

    enabled: Iccid | None
    """None: no profile is."""
    others: frozenset[Iccid] = frozenset()
    """Profiles that are not enabled, or no longer there: a modem that reads one of them is behind."""

    def is_read(self, read: Iccid | None) -> bool:
        """Whether this is what a modem that reads `read` sees."""
        return read == self.enabled if self.enabled is not None else read not in self.others


class Noticed(Enum):
    """What the modem reads, compared with the card."""

    YES = auto()
    NO = auto()
    UNKNOWN = auto()
    """It tells no ICCID, or there is no modem."""


@dataclass(slots=True)
class Outcome:
    """What came of it."""

    holding: Holding | None = None
    """What the card holds; None: not what was wanted, or it could not be read."""
    noticed: Noticed = Noticed.NO
    error: CardError | None = None
    """Why the card could not be read the last time."""

    @property
    def good(self) -> bool:
        """Whether card and modem agree on what was wanted, as far as they tell."""
        return self.holding is not None and self.noticed is not Noticed.NO


class _Tells(Enum):
    """Whether a modem knows a command for the ICCID."""

    YES = auto()
    NO = auto()
    PERHAPS = auto()
    """It refused while no profile was enabled, which may mean both."""


class Refresh:
    """One switch, from before it is asked for until the modem reads what came of it."""

    def __init__(self, access: Access, *, tell: Callable[[str], None], reading: float = 60.0) -> None:
        """Take a card; nothing is sent before `prepare` or `settle`.

        Args:
            access: the card.
            tell: is told each step that is more than waiting, as it begins.
            reading: seconds for one look at the card.
        """
        self._access = access
        self._tell = tell
        self._reading = reading
        self._ladder: tuple[RefreshStep, ...] = ()
        self._announcements: tuple[str, ...] = ()
        self._has_modem = False
        self._tells = _Tells.PERHAPS
        self._read_before: Iccid | None = None
        self.refresh_flag: bool | None = None
        """Whether the modem's quirks want the card to ask for a REFRESH; None where there is no modem."""

    def prepare(self, *, enabled: bool, deadline: Deadline) -> None:
        """Get to know the modem, before the switch; no channel may be open.

        Args:
            enabled: whether a profile is enabled now, so that the modem has an ICCID to tell.
            deadline: when to give up.

        Raises:
            CardUnreachable: the port is gone or mute.
        """
        with self._access.open(deadline=deadline).lend_modem(deadline=deadline) as lent:
            self._has_modem = lent is not None
            if lent is None:
                return
            self._ladder = lent.quirks.refresh_ladder
            self._announcements = lent.quirks.announcements
            self.refresh_flag = lent.quirks.refresh_flag
            tells, self._read_before = read_iccid(lent, deadline=deadline)
            if tells or enabled:
                self._tells = _Tells.YES if tells else _Tells.NO
            lent.modem.forget_unsolicited()

    def agreed(self, holding: Holding) -> bool:
        """Whether the modem read what the card holds, as far as it tells, when it was prepared.

        It may not have where nothing is to be switched any more: another program did, or lpad, and was
        killed before the modem had noticed.
        """
        return self._tells is not _Tells.YES or holding.is_read(self._read_before)

    def settle(
        self,
        look: Callable[[Deadline], Holding | None],
        *,
        asked: bool,
        answered: bool = True,
        deadline: Deadline,
    ) -> Outcome:
        """Wait until the card holds what was wanted and the modem reads it, and help where it must be.

        Args:
            look: opens a session, and returns what the card holds if that is what was wanted.
            asked: whether the card asks the modem for a REFRESH.
            answered: whether the card said yes. Where its answer was lost and it holds what it held
                before, it has done nothing, and no restart would help.
            deadline: for waiting where there is no modem. With one, the quirks say how long each step may
                take: a modem that is powered down is never left before it is up again.
        """
        rungs = self._ladder or (
            RefreshStep(step=Step.WAIT, seconds=max(deadline.within(RESTART).remaining(), FIRST_PAUSE)),
        )
        if asked and self._has_modem:
            self._listen(Deadline.after(_HEARD))
        outcome = Outcome()
        for index, rung in enumerate(rungs):
            if index and not answered and outcome.holding is None and outcome.error is None:
                break
            if rung.step is not Step.WAIT:
                _log.warning(
                    "the modem does not read what the card holds (%s): %s",
                    outcome.error or "another ICCID",
                    rung.step.value,
                )
                self._tell(rung.step.value)
                self._take(rung)
            outcome = self._watch(rung, look)
            if outcome.good:
                break
        if outcome.good and self._has_modem:
            outcome = self._finish(outcome, look)
        return outcome

    def restart_modem(self) -> bool:
        """Take the last step of the ladder, for a card that stays busy; return whether there is one."""
        if not self._ladder or self._ladder[-1].step is Step.WAIT:
            return False
        self._tell(self._ladder[-1].step.value)
        self._take(self._ladder[-1])
        return True

    def _watch(self, rung: RefreshStep, look: Callable[[Deadline], Holding | None]) -> Outcome:
        """Look again and again, less and less often, until it is good or the step's time is over.

        The time for which the port is gone does not count: nobody can climb while it is.
        """
        outcome = Outcome()
        until = Deadline.after(rung.seconds)
        port_back = Deadline.after(rung.seconds + _PORT_AWAY)
        pause = FIRST_PAUSE
        while True:
            away = False
            try:
                self._access.open(deadline=until.within(self._reading) if not until.passed else _soon())
            except CardError as met:
                self._access.drop()
                outcome = Outcome(error=met)
                away = self._has_modem
            else:
                outcome = self._look(look, outcome, until)
                if outcome.good:
                    return outcome
            if away and not port_back.passed:
                self._pause(pause, away=True)
                until = Deadline.after(rung.seconds)
            elif until.passed:
                break
            else:
                self._pause(min(pause, until.remaining()), away=away)
            pause = min(pause * 2, LONGEST_PAUSE)
        if outcome.holding is not None and self._tells is _Tells.PERHAPS:
            outcome.noticed = self._silent()
        return outcome

    def _look(self, look: Callable[[Deadline], Holding | None], outcome: Outcome, until: Deadline) -> Outcome:
        """Look at the card unless it was seen to hold what was wanted, then ask the modem."""
        within = until.within(self._reading) if until.remaining() > _LOOKING else _soon()
        try:
            holding = outcome.holding or look(within)
            if holding is None:
                return Outcome()
            return Outcome(holding=holding, noticed=self._ask(holding, within))
        except CardUnreachable as met:
            self._access.drop()
            return Outcome(error=met)
        except CardError as met:
            # Busy, no channel, or profileChangeOngoing of SGP.22 v3: the REFRESH is still to come.
            return Outcome(error=met)

    def _ask(self, holding: Holding, deadline: Deadline) -> Noticed:
        if not self._has_modem:
            return Noticed.UNKNOWN
        if self._tells is _Tells.NO:
            return self._silent()
        with self._access.open(deadline=deadline).lend_modem(deadline=deadline) as lent:
            if lent is None:
                return Noticed.UNKNOWN
            tells, read = read_iccid(lent, deadline=deadline)
        if tells:
            self._tells = _Tells.YES
        elif holding.enabled is not None:
            return Noticed.NO
        return Noticed.YES if holding.is_read(read) else Noticed.NO

    def _silent(self) -> Noticed:
        _log.info("the modem tells no ICCID; that the card has switched is what counts")
        return Noticed.UNKNOWN

    def _pause(self, seconds: float, *, away: bool) -> None:
        if away or not self._has_modem:
            threading.Event().wait(seconds)
        else:
            self._listen(Deadline.after(seconds))

    def _listen(self, deadline: Deadline) -> None:
        """Wait until the modem announces something, or the deadline; a port that goes ends it early."""
        try:
            with self._access.open(deadline=_soon()).lend_modem(deadline=_soon()) as lent:
                if lent is not None:
                    lent.modem.wait_for(self._announcements, deadline=deadline)
        except CardError as error:
            _log.info("%s", error)
            self._access.drop()

    def _take(self, rung: RefreshStep) -> None:
        """Take a step. What it takes down it brings up, whatever happens in between."""
        try:
            with self._access.open(deadline=_soon()).lend_modem(deadline=Deadline.after(_GOING)) as lent:
                if lent is None:
                    return
                within = Deadline.after(_BRINGING_UP)
                lent.modem.forget_unsolicited()
                if rung.down:
                    lent.powered_down.going_down(rung.up)
                taken = [send(lent.modem, text, deadline=within) for text in rung.down or rung.up]
                if not all(taken[:1]):
                    for text in rung.instead:
                        send(lent.modem, text, deadline=within)
                if rung.port_goes:
                    # Nothing is asked until it has gone: it would be answered from before the restart.
                    lent.modem.wait_for((*_REBOOTED, *self._announcements), deadline=Deadline.after(_GOING))
        except CardError as error:
            _log.info("%s: %s", rung.step.value, error)
            self._access.drop()
        finally:
            if rung.down:
                self._bring_up(rung)
        if rung.port_goes:
            self._access.drop()

    def _bring_up(self, rung: RefreshStep) -> None:
        """Power up, on a new port if need be; what can't be done now is done when the port is next opened."""
        until = Deadline.after(_BRINGING_UP)
        pause = FIRST_PAUSE
        while True:
            try:
                with self._access.open(deadline=until).lend_modem(deadline=until) as lent:
                    if lent is not None:
                        bring_up(lent.modem, lent.powered_down, deadline=until)
            except CardError as error:
                self._access.drop()
                if until.remaining() <= pause:
                    _log.error("%s: not powered up again: %s; lpad keeps trying", rung.step.value, error)
                    return
            else:
                return
            threading.Event().wait(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    def _finish(self, outcome: Outcome, look: Callable[[Deadline], Holding | None]) -> Outcome:
        """Send what a modem wants after each switch; it may restart the modem, so it is looked at again."""
        with self._access.open(deadline=_soon()).lend_modem(deadline=_soon()) as lent:
            commands = lent.quirks.after_switch if lent is not None else ()
        if not commands:
            return outcome
        self._tell("after-switch")
        seconds = self._ladder[-1].seconds
        self._take(RefreshStep(step=Step.MODEM_RESET, up=commands, seconds=seconds, port_goes=True))
        return self._watch(RefreshStep(step=Step.WAIT, seconds=seconds), look)


def read_iccid(lent: LentModem, *, deadline: Deadline) -> tuple[bool, Iccid | None]:
    """Ask a modem which ICCID it reads.

    Returns:
        Whether it knows any command for that, and the ICCID; None where it reads none at present.

    Raises:
        CardUnreachable: the port is gone or mute.
    """
    patience = lent.modem.patience.information
    for text in lent.quirks.iccid_commands:
        try:
            return True, iccid_told(lent.modem.ask(iccid_command(text), patience=patience, deadline=deadline))
        except (LinkRefused, CardMalformed, MalformedError) as error:
            _log.debug("%s: %s", text, error)
        except CardBusy:
            return True, None
        except CardUnreachable as error:
            if "modem_error" not in error.details:
                raise
            return True, None  # no SIM, or it can't be read: the modem would tell if it could
    return False, None


def _soon() -> Deadline:
    return Deadline(time.monotonic() + _LOOKING)
