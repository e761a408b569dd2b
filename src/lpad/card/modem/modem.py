"""A modem on an AT port or on a control port (MBIM, QMI), for code that uses the modem and not the card."""

from __future__ import annotations

import logging
from abc import abstractmethod
from typing import TYPE_CHECKING, Protocol

from lpad.base.errors import CardError, InvalidValue, MalformedError
from lpad.base.identifiers import Imei
from lpad.card.modem.modem_answer_types import ModemIccid
from lpad.card.quirks.quirks import AtTimeouts
from lpad.protocol.at_dialogue import AtAnswer
from lpad.protocol.iccid_answer import IccidReport, iccid_report
from lpad.protocol.registration_answer import NETWORKS, Registration

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lpad.base.deadline import Deadline
    from lpad.card.modem.at_port import AtPort
    from lpad.card.modem.control_dialogue import ControlDialogue
    from lpad.card.modem.data_session_cause import SessionCause
    from lpad.card.modem.modem_answer_types import Power, RejectCause
    from lpad.card.quirks.modem_identity import ModemIdentity
    from lpad.protocol.data_session_types import SessionReport, SessionWish

_log = logging.getLogger(__name__)


class Modem(Protocol):
    """The queries and actions of any modem.

    Every method raises CardUnreachable if the port is gone or does not answer.
    """

    unreported: str
    """The sentence about a modem that does not report its registration."""
    announces_status: bool
    """Whether an announcement contains the registration; otherwise, lpad asks for the registration."""
    reattaching: tuple[tuple[str, str], ...]
    """Actions for `take` that detach and attach, gentlest first."""

    @property
    def at_port(self) -> AtPort | None:
        """The port for AT commands; None: the modem is on a control port."""

    @property
    def control(self) -> ControlModem | None:
        """The modem with the queries that only a control port offers; None: the modem is on an AT port."""

    def check_answer(self, *, deadline: Deadline) -> str:
        """Send a short query, and return the name of this query."""
        ...

    @abstractmethod
    def iccid(self, *, deadline: Deadline) -> ModemIccid:
        """Return the modem's report on the ICCID that it reads."""

    def registrations(
        self, *, networks: Iterable[str] = NETWORKS, first: bool = False, deadline: Deadline
    ) -> tuple[Registration, ...]:
        """Return the registration in each kind of network; empty if the modem does not report it.

        Args:
            networks: the kinds of networks, by the names of their AT commands; a control port ignores them.
            first: whether to ask for no further kind once the modem is registered in one.
            deadline: for all queries together.
        """
        ...

    def announce(self, network: str, level: int, *, deadline: Deadline) -> None:
        """Have the modem announce changes of its registration; `level` 0: none, 1: with the status."""
        ...

    @abstractmethod
    def lock(self, *, deadline: Deadline) -> str | None:
        """Return the lock that the modem reports, under its name in AT+CPIN?; None if it reports none.

        Many modems read the ICCID of a locked SIM, but then never register.
        """

    @abstractmethod
    def reject_cause(self, *, deadline: Deadline) -> RejectCause:
        """Return the causes of the last refused attach and data session, as far as they are known."""

    @abstractmethod
    def take(self, action: str, *, deadline: Deadline) -> bool:
        """Carry out an action by its name, as in a refresh ladder; return whether the modem accepted it."""

    @abstractmethod
    def power(self, *, refused: Sequence[str], deadline: Deadline) -> Power:
        """Return whether everything is powered up although the modem has refused some actions."""

    def forget_unsolicited(self) -> None:
        """Forget the unsolicited messages so far; `wait_for` considers only later ones."""
        ...

    @abstractmethod
    def wait_for(self, beginnings: Sequence[str], *, deadline: Deadline) -> str | None:
        """Wait for an unsolicited message about SIM or registration; return it, or None if none came.

        Args:
            beginnings: the possible beginnings of the line at an AT port, such as "+QUSIM".
        """


class _DataSession(Protocol):
    def report(self, *, patience: float, deadline: Deadline) -> SessionReport: ...

    def open(self, wish: SessionWish, *, patience: float, deadline: Deadline) -> SessionReport: ...

    def close(self, *, deadline: Deadline) -> None: ...


class ControlModem(Modem):
    """A modem on a control port, whose answers are data and not AT lines."""

    dialogue: ControlDialogue
    at_port = None
    announces_status = False

    def __init__(self, dialogue: ControlDialogue, session: _DataSession, cause: SessionCause) -> None:
        """Use a dialogue, and a data session that keeps the network's cause for refusing it."""
        self.dialogue = dialogue
        self.patience = AtTimeouts()
        """The time to wait for answers."""
        self._session = session
        self._cause = cause

    @property
    def control(self) -> ControlModem:
        """The modem itself."""
        return self

    def close(self) -> None:
        """Release the port; never raises, and a second call does nothing."""
        self.dialogue.close()

    @abstractmethod
    def identity(self, *, deadline: Deadline) -> ModemIdentity:
        """Return model and firmware, as far as the modem reports them."""

    @abstractmethod
    def device_id(self, *, deadline: Deadline) -> str | None:
        """Return the text that the modem reports as its IMEI; None if it reports none."""

    @abstractmethod
    def registration(self, *, deadline: Deadline) -> Registration | None:
        """Return the registration; None if the modem does not report it."""

    def imei(self, *, deadline: Deadline) -> Imei | None:
        """Return the modem's IMEI, or None if it reports no valid one."""
        text = self.device_id(deadline=deadline)
        try:
            return None if text is None else Imei.parse(text.strip())
        except InvalidValue as error:
            _log.warning(
                "%s: the modem's IMEI is unknown: %s; set it in the settings", self.dialogue.name, error
            )
            return None

    def check_answer(self, *, deadline: Deadline) -> str:
        """Read the ICCID, and return the name of this query."""
        self.iccid(deadline=deadline)
        return "the modem's SIM"

    def registrations(
        self, *, networks: Iterable[str] = (), first: bool = False, deadline: Deadline
    ) -> tuple[Registration, ...]:
        """Return the one registration for all kinds of networks; empty if the modem does not report it."""
        del networks, first
        found = self.registration(deadline=deadline)
        return () if found is None else (found,)

    def announce(self, network: str, level: int, *, deadline: Deadline) -> None:
        """Do nothing, because a modem on a control port announces changes without a command."""

    def session(self, *, deadline: Deadline) -> SessionReport:
        """Return the state of the data session, whichever program has opened it."""
        self._forget_stale_cause(deadline=deadline)
        return self._session.report(patience=self.patience.information, deadline=deadline)

    def open_session(self, wish: SessionWish, *, deadline: Deadline) -> SessionReport:
        """Open the data session with the settings in `wish` unless it is open with them; return its state."""
        try:
            self.iccid(deadline=deadline)  # the next cause will belong to this profile
        except CardError as error:
            _log.debug("%s", error)
        return self._session.open(wish, patience=self.patience.information, deadline=deadline)

    def attach_settings(self, *, deadline: Deadline) -> tuple[SessionWish, ...]:
        """Return the settings of the initial bearer; empty: the modem does not report them."""
        del deadline
        return ()

    def store_attach_settings(self, wish: SessionWish, *, deadline: Deadline) -> bool:
        """Store settings for the next attach; return whether the modem accepts them."""
        del wish, deadline
        return False

    def forget_unsolicited(self) -> None:
        """Forget the indications so far; `wait_for` considers only later ones."""
        self.dialogue.forget_indications()

    def _forget_stale_cause(self, *, deadline: Deadline) -> None:
        """Forget a cause that belongs to a profile that the modem no longer reads."""
        if self._cause.value is not None:
            self.iccid(deadline=deadline)

    def _iccid_in(self, text: str, *, lock: str | None) -> ModemIccid:
        """Return the report on the ICCID; an empty text: the modem reads none."""
        if not text:
            return ModemIccid(tells=True, lock=lock)
        try:
            report = iccid_report(AtAnswer((text,), "OK"))
        except MalformedError as error:
            _log.debug("%s: %s", self.dialogue.name, error)
            return ModemIccid(tells=lock is not None, lock=lock, garbled=True)
        if not isinstance(report, IccidReport):
            return ModemIccid(tells=True, lock=lock)
        self._cause.modem_reads(report)
        return ModemIccid(tells=True, report=report, lock=lock)
