"""After a switch: check that the modem reads the new profile, and make it do so if necessary.

lpad reads the card first, because a modem may not have carried out the REFRESH yet, and then asks the modem
for the ICCID that it reads. While the modem reads a different ICCID, lpad takes the steps in the ladder of
the modem's quirks: lpad waits, then powers the SIM, the radio and finally the modem down and up. If only lpad
reads the card, as in a reader, or if a modem reports no ICCID, lpad relies on the card's report.
"""

from __future__ import annotations

import logging
import threading
from enum import Enum, auto
from functools import partial
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from lpad.base.deadline import Deadline
from lpad.base.errors import CardError, CardUnreachable
from lpad.base.frozen import Frozen
from lpad.card.modem.cme_errors import how_to_unlock, lock_of
from lpad.card.modem.modem_answer_types import ModemIccid
from lpad.card.modem_power import FIRST_PAUSE, LONGEST_PAUSE, LOOKING, soon, take_step
from lpad.card.quirks.quirks import RefreshStep, Step

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.base.identifiers import Iccid
    from lpad.card.modem.modem_lent_by_link import LentModem
    from lpad.card.modem_power import Access
    from lpad.protocol.iccid_answer import IccidReport

_log = logging.getLogger(__name__)

RESTART = 45.0
"""Seconds that a card may take for its REFRESH if no quirks set the modem's time."""
_HEARD = 2.0
"""Seconds in which most modems announce the SIM that they read; an earlier query would disturb the modem."""
_UNCLEAR = (
    "the card has switched, but the modem reports an ICCID that no profile of this card has; check whether"
    " the modem registers"
)
_PORT_AWAY = 90.0
"""Seconds for which a port may be gone, in addition to a step's time."""


class Resets(Protocol):
    """Limits how often a modem may be restarted, and counts the restarts."""

    def ascend(self) -> bool:
        """Return whether steps that power something down are allowed now; if so, count this use."""
        ...

    def taken(self, step: str) -> None:
        """Record one step at its beginning."""
        ...

    def helped(self) -> None:
        """Record that the modem reads the enabled profile, which resets the count."""
        ...

    @property
    def sentence(self) -> str:
        """Why the steps are not allowed, and what the user can do."""
        ...


class Holding(Frozen, kw_only=True):
    """The card's profiles: the enabled one, and the others."""

    enabled: Iccid | None
    """The enabled profile; None if no profile is enabled."""
    others: frozenset[Iccid] = frozenset()
    """Profiles that are disabled or no longer on the card; a modem that reads one of them is outdated."""

    def noticed(self, report: IccidReport | None) -> Noticed:
        """Return whether a modem with this report (None: it reads no ICCID) has noticed the switch."""
        if report is None:
            return Noticed.YES if self.enabled is None else Noticed.NO
        if self.enabled is not None and report.names(self.enabled):
            return Noticed.YES
        if any(report.names(each) for each in self.others):
            return Noticed.NO
        return Noticed.YES if self.enabled is None else Noticed.UNCLEAR


class Noticed(Enum):
    """The profile that the modem reads, compared with the card."""

    YES = auto()
    NO = auto()
    """The modem reads a disabled or deleted profile of this card, or none although one is enabled."""
    UNCLEAR = auto()
    """The report matches no profile of this card: garbage, another card's ICCID, or an unknown spelling."""
    UNKNOWN = auto()
    """The modem reports no intelligible ICCID, or there is no modem: the card's report counts."""


class Outcome(Struct):
    """The result of waiting for the modem."""

    holding: Holding | None = None
    """The card's state if it is the wanted one; None: the card has another state, or is unreadable."""
    noticed: Noticed = Noticed.NO
    error: CardError | None = None
    """The error of the last attempt to read the card; None: it could be read."""
    remark: str | None = None
    """A remark about the modem for the user of a successful switch, such as that the modem requires a PIN."""
    held_back: str | None = None
    """Why lpad did not restart the modem again; None: nothing prevented a restart."""

    @property
    def good(self) -> bool:
        """Whether the card reports the wanted state, and the modem, too, if it reports an ICCID."""
        return self.holding is not None and self.noticed in (Noticed.YES, Noticed.UNKNOWN)


class _Tells(Enum):
    """Whether a modem has a command that reports the ICCID."""

    YES = auto()
    NO = auto()
    PERHAPS = auto()
    """Unknown, because the modem refused while no profile was enabled."""


class Refresh:
    """One switch, from before the request until the modem reads the enabled profile."""

    def __init__(
        self, access: Access, *, tell: Callable[[str], None], resets: Resets, reading: float = 60.0
    ) -> None:
        """Use a card; nothing is sent before `prepare` or `settle`.

        Args:
            tell: called with the name of each step other than waiting, at its start.
            reading: seconds to read the card once.
        """
        self._access = access
        self._tell = tell
        self._resets = resets
        self._reading = reading
        self._ladder: tuple[RefreshStep, ...] = ()
        self._announcements: tuple[str, ...] = ()
        self._has_modem = False
        self._tells = _Tells.PERHAPS
        self._before = ModemIccid(tells=False)
        self._lock: str | None = None
        self._climbing = False
        self.refresh_flag: bool | None = None
        """Whether the modem's quirks require the card to ask for a REFRESH; None if there is no modem."""

    def prepare(self, holding: Holding, *, deadline: Deadline) -> None:
        """Query the modem before the switch; no channel may be open.

        Args:
            holding: the card's present state; if a profile is enabled, the modem has an ICCID to report.

        Raises:
            CardUnreachable: the port is gone or does not answer.
        """
        told = self._access.ask_modem(partial(self._meet, deadline=deadline), deadline=deadline)
        if told is None:
            return
        if told.lock is not None and told.report is None:
            return
        if told.tells:
            # A modem that reports no profile of this card now will not report one after the switch: it
            # reads another slot, or its report is unintelligible.
            unclear = holding.noticed(told.report) is Noticed.UNCLEAR
            self._tells = _Tells.NO if unclear else _Tells.YES
        elif holding.enabled is not None:
            self._tells = _Tells.NO

    def _meet(self, lent: LentModem | None, *, deadline: Deadline) -> ModemIccid | None:
        self._has_modem = lent is not None
        if lent is None:
            return None
        self._ladder = lent.quirks.refresh_ladder
        self._announcements = lent.quirks.announcements
        self.refresh_flag = lent.quirks.refresh_flag
        self._before = lent.modem.iccid(deadline=deadline)
        lent.modem.forget_unsolicited()
        return self._before

    @property
    def has_modem(self) -> bool:
        """Whether there is a modem, which must read the enabled profile."""
        return self._has_modem

    @property
    def read_before(self) -> IccidReport | None:
        """The ICCID that the modem read at `prepare`.

        None if the modem reported none, or there is no modem.
        """
        return self._before.report

    def agreed(self, holding: Holding) -> bool:
        """Return whether the modem read the enabled profile at `prepare`; True if it does not report this.

        The modem may be outdated even if no switch is needed: if another program made the switch, or lpad was
        killed before the modem had noticed it.
        """
        if self._tells is not _Tells.YES:
            return True
        noticed = holding.noticed(self._before.report)
        if noticed is Noticed.YES:
            self._resets.helped()
        return noticed is not Noticed.NO

    def settle(
        self,
        look: Callable[[Deadline], Holding | None],
        *,
        asked: bool,
        answered: bool = True,
        deadline: Deadline,
    ) -> Outcome:
        """Wait until the card has the wanted state and the modem has noticed it; take steps if necessary.

        Args:
            look: opens a session with the card; returns the card's state if it is the wanted one, else None.
            asked: whether the card asks the modem for a REFRESH.
            answered: whether the card accepted the request. If the answer was lost and the card's state is
                unchanged, the card has done nothing, and a restart would not help.
            deadline: for waiting without a modem. With a modem, the quirks set the time of each step, and
            lpad always waits until a powered-down modem is up again.
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
                if self._locked(outcome):
                    break
                if not self._may_climb():
                    outcome.held_back = self._resets.sentence
                    break
                _log.warning(
                    "the modem has not read the enabled profile (%s): %s",
                    outcome.error or "another ICCID",
                    rung.step.value,
                )
                self._take(rung)
            outcome = self._watch(rung, look)
            if outcome.good:
                break
        if outcome.good and self._has_modem:
            outcome = self._finish(outcome, look)
        if outcome.good:
            self._resets.helped()
        return outcome

    @property
    def can_restart(self) -> bool:
        """Whether the ladder ends with a step that restarts the modem."""
        return bool(self._ladder) and self._ladder[-1].step is not Step.WAIT

    def restart_modem(self) -> bool:
        """Take the last step of the ladder, for a card that stays busy; return whether lpad took it."""
        if not self.can_restart or not self._may_climb():
            return False
        self._take(self._ladder[-1])
        return True

    def restart(self, look: Callable[[Deadline], Holding | None]) -> Outcome:
        """Take the last step of the ladder for a user, and wait for the card; `look` is as in `settle`."""
        self._take(self._ladder[-1])
        outcome = self._watch(self._ladder[-1], look)
        if outcome.good and outcome.holding is not None and outcome.holding.enabled is not None:
            self._resets.helped()
            outcome.remark = self._remark() or outcome.remark
        return outcome

    def _may_climb(self) -> bool:
        """Return whether lpad may power something down; `Resets` is asked once for all steps of a switch."""
        self._climbing = self._climbing or self._resets.ascend()
        return self._climbing

    def _locked(self, outcome: Outcome) -> bool:
        """Return whether the SIM or the modem is still locked, so that a restart would not help."""
        lock = None if outcome.error is None else lock_of(outcome.error)
        if lock is not None:
            _log.warning("the modem requires the %s; a restart would not help", lock)
        return lock is not None

    def _take(self, rung: RefreshStep) -> None:
        self._tell(rung.step.value)
        self._resets.taken(rung.step.value)
        take_step(self._access, rung, announcements=self._announcements)

    def _watch(self, rung: RefreshStep, look: Callable[[Deadline], Holding | None]) -> Outcome:
        """Check at growing intervals until the result is good or time is up; return the last result.

        The time without a port does not count, up to a limit, because no step is possible then.
        """
        outcome = Outcome()
        until = Deadline.after(rung.seconds)
        port_back = Deadline.after(rung.seconds + _PORT_AWAY)
        pause = FIRST_PAUSE
        while True:
            away = False
            try:
                self._access.open(deadline=until.within(self._reading) if not until.passed else soon())
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
        if outcome.holding is not None and outcome.noticed is Noticed.UNCLEAR:
            outcome.noticed = self._silent()
            outcome.remark = _UNCLEAR
        elif outcome.holding is not None and self._tells is _Tells.PERHAPS:
            outcome.noticed = self._silent()
        return outcome

    def _look(self, look: Callable[[Deadline], Holding | None], outcome: Outcome, until: Deadline) -> Outcome:
        """Read the card, unless an earlier reading already showed the wanted state; then ask the modem."""
        within = until.within(self._reading) if until.remaining() > LOOKING else soon()
        try:
            holding = outcome.holding or look(within)
            if holding is None:
                return Outcome()
            return Outcome(holding=holding, noticed=self._ask(holding, within))
        except CardUnreachable as met:
            self._access.drop()
            return Outcome(error=met)
        except CardError as met:
            # Busy, no channel, or profileChangeOngoing of SGP.22 v3: the REFRESH is not done yet.
            return Outcome(error=met)

    def _ask(self, holding: Holding, deadline: Deadline) -> Noticed:
        if not self._has_modem:
            return Noticed.UNKNOWN
        if self._tells is _Tells.NO:
            return self._silent()
        noticed = self._reread(holding, deadline)
        # Some modems do not read the card while a channel is open.
        if noticed is not Noticed.YES and self._access.end_session():
            noticed = self._reread(holding, deadline)
        return noticed

    def _reread(self, holding: Holding, deadline: Deadline) -> Noticed:
        with self._access.open(deadline=deadline).lend_modem(deadline=deadline) as lent:
            if lent is None:
                return Noticed.UNKNOWN
            told = lent.modem.iccid(deadline=deadline)
        return self._compared(holding, told)

    def _compared(self, holding: Holding, told: ModemIccid) -> Noticed:
        self._lock = told.lock
        if told.lock is not None and told.report is None:
            # A lock from before the switch may still belong to the previous profile.
            return Noticed.UNCLEAR if told.lock == self._before.lock else Noticed.UNKNOWN
        if told.garbled and self._tells is _Tells.YES:
            return Noticed.UNCLEAR
        if told.tells:
            self._tells = _Tells.YES
        elif holding.enabled is not None:
            return Noticed.NO
        return holding.noticed(told.report)

    def _silent(self) -> Noticed:
        _log.info("the modem does not report this card's ICCID; lpad relies on the card's own report")
        return Noticed.UNKNOWN

    def _pause(self, seconds: float, *, away: bool) -> None:
        if away or not self._has_modem:
            threading.Event().wait(seconds)
        else:
            self._listen(Deadline.after(seconds))

    def _listen(self, deadline: Deadline) -> None:
        """Wait until the modem announces something, or until the deadline.

        A port that disappears ends the wait early.
        """
        try:
            with self._access.open(deadline=soon()).lend_modem(deadline=soon()) as lent:
                if lent is not None:
                    lent.modem.wait_for(self._announcements, deadline=deadline)
        except CardError as error:
            _log.info("%s", error)
            self._access.drop()

    def _finish(self, outcome: Outcome, look: Callable[[Deadline], Holding | None]) -> Outcome:
        """Send the commands of `after_switch`, which may restart the modem, and check the modem again."""
        with self._access.open(deadline=soon()).lend_modem(deadline=soon()) as lent:
            commands = lent.quirks.after_switch if lent is not None else ()
        if commands and self._may_climb():
            seconds = self._ladder[-1].seconds
            self._resets.taken("after-switch")
            self._tell("after-switch")
            rung = RefreshStep(step=Step.MODEM_RESET, up=commands, seconds=seconds, port_goes=True)
            take_step(self._access, rung, announcements=self._announcements)
            outcome = self._watch(RefreshStep(step=Step.WAIT, seconds=seconds), look)
        if outcome.good and outcome.holding is not None and outcome.holding.enabled is not None:
            outcome.remark = self._remark() or outcome.remark
        return outcome

    def _remark(self) -> str | None:
        """Return a remark if a locked SIM or modem keeps the profile from registering; None: no lock."""
        lock = self._lock
        try:
            with self._access.open(deadline=soon()).lend_modem(deadline=soon()) as lent:
                if lent is not None:
                    lock = lock or lent.modem.lock(deadline=soon())
        except CardError as error:
            _log.info("%s", error)
            self._access.drop()
        return None if lock is None else f"the modem requires the {lock}: {how_to_unlock(lock)}"
