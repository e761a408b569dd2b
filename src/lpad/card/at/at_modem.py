"""A modem on an AT port: its identity, the SIM that it reads, its registration, and its power."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING

from lpad.base.deadline import Deadline
from lpad.base.errors import (
    CardBusy,
    CardError,
    CardMalformed,
    CardUnreachable,
    InvalidValue,
    MalformedError,
)
from lpad.base.identifiers import Imei
from lpad.card.modem.cme_errors import lock_of
from lpad.card.modem.modem_answer_types import ModemIccid, Power, RejectCause
from lpad.card.port.link_refused import LinkRefused
from lpad.card.quirks.modem_identity import ModemIdentity
from lpad.card.quirks.quirks import Quirks
from lpad.protocol import card_and_identity_commands
from lpad.protocol.at_dialogue import AtCommand
from lpad.protocol.iccid_answer import SimLocked, iccid_command, iccid_report
from lpad.protocol.pin_answer import lock_told, pin_command
from lpad.protocol.radio_power_answer import FULL, functionality_command, functionality_told
from lpad.protocol.registration_answer import (
    NETWORKS,
    NOT_REGISTERED,
    Registration,
    announcing_command,
    registration_command,
    registration_told,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lpad.card.modem.at_port import AtPort
    from lpad.protocol.at_dialogue import AtAnswer

_log = logging.getLogger(__name__)

_POWERING = 40.0
"""Seconds that a modem may take to answer a command that powers something up or down."""
_RESTORING = 2.0
"""Seconds to restore a level of announcements, even after the deadline."""
_FULL = f"AT+CFUN={FULL}"
_ESM_FAILURE = 19
"""EMM cause: the attach was rejected because its bearer was rejected (3GPP TS 24.301, 9.9.3.9)."""


class AtModem:
    """The modem behind an AT port (see `Modem`)."""

    control = None
    announces_status = True
    unreported = "the modem supports none of AT+CEREG, AT+C5GREG and AT+CGREG"
    reattaching: tuple[tuple[str, str], ...] = (("AT+CGATT=0", "AT+CGATT=1"), ("AT+CFUN=4", "AT+CFUN=1"))
    """Pairs of commands that detach and attach; many LTE modems refuse the first pair, a plain detach."""

    def __init__(self, at_port: AtPort) -> None:
        """Use a port; nothing is sent before the first query."""
        self.at_port = at_port
        self._iccid_commands = Quirks().iccid_commands

    def adapt(self, quirks: Quirks) -> None:
        """Use the commands and time limits in the modem's quirks."""
        self.at_port.patience = quirks.patience
        self._iccid_commands = quirks.iccid_commands

    def close(self) -> None:
        """Release the port."""
        self.at_port.close()

    def imei(self, *, deadline: Deadline) -> Imei | None:
        """Return the modem's IMEI, or None if it reports no valid one."""
        try:
            return Imei.parse(self._ask(card_and_identity_commands.cgsn(), deadline).lines[0].strip('"'))
        except (LinkRefused, CardMalformed, InvalidValue) as error:
            _log.warning(
                "%s: the modem's IMEI is unknown: %s; set it in the settings", self.at_port.name, error
            )
            return None

    def identity(self, *, deadline: Deadline) -> ModemIdentity:
        """Return maker, model and firmware; parts that the modem refuses to report are empty."""
        told = []
        for command in card_and_identity_commands.identity():
            try:
                told.append(card_and_identity_commands.identity_text(self._ask(command, deadline)))
            except (LinkRefused, CardMalformed) as error:
                _log.debug("%s", error)
                told.append("")
        return ModemIdentity(manufacturer=told[0], model=told[1], firmware=told[2])

    def check_answer(self, *, deadline: Deadline) -> str:
        """Send AT, and return the name of this query."""
        self._ask(AtCommand("AT"), deadline)
        return "AT"

    def iccid(self, *, deadline: Deadline) -> ModemIccid:
        """Return the modem's report on the ICCID that it reads.

        After an answer without an ICCID, such as garbage or only the EID, the next command is tried.
        """
        lock: str | None = None
        garbled = False
        for text in self._iccid_commands:
            try:
                report = iccid_report(self._ask(iccid_command(text), deadline))
            except MalformedError as error:
                _log.debug("%s: %s", text, error)
                garbled = True
            except (LinkRefused, CardMalformed) as error:
                _log.debug("%s: %s", text, error)
            except CardBusy:
                return ModemIccid(tells=True)
            except CardUnreachable as error:
                if "modem_error" not in error.details:
                    raise
                if lock_of(error) is None:
                    # There is no SIM, or it cannot be read; otherwise the modem would report its ICCID.
                    return ModemIccid(tells=True)
                lock = lock or lock_of(error)
            else:
                if not isinstance(report, SimLocked):
                    return ModemIccid(tells=True, report=report, lock=lock)
                lock = lock or "SIM PIN"
        return ModemIccid(tells=lock is not None, lock=lock, garbled=garbled)

    def registrations(
        self, *, networks: Iterable[str] = NETWORKS, first: bool = False, deadline: Deadline
    ) -> tuple[Registration, ...]:
        """Return the registration in each kind of network; empty if the modem does not report it.

        A modem that answers with a reason, such as a missing SIM, counts as not registered.
        """
        found: list[Registration] = []
        for network in networks:
            try:
                found.append(registration_told(network, self._ask(registration_command(network), deadline)))
            except (LinkRefused, CardMalformed, MalformedError) as error:
                _log.debug("%s: %s", network, error)
            except (CardUnreachable, CardBusy) as error:
                if "modem_error" in error.details:
                    found.append(Registration(network, NOT_REGISTERED))
                elif not found:
                    raise
                else:  # this modem does not answer commands that it does not know
                    _log.info("%s: %s", network, error)
                    break
            if first and found and found[-1].registered:
                break
        return tuple(found)

    def announce(self, network: str, level: int, *, deadline: Deadline) -> None:
        """Set the level of announcements about a kind of network; the modem may refuse."""
        try:
            self._ask(announcing_command(network, level), deadline)
        except (LinkRefused, CardMalformed, CardBusy) as error:
            _log.debug("%s: %s", network, error)

    def lock(self, *, deadline: Deadline) -> str | None:
        """Return the lock that the modem reports, such as SIM PIN; None if it reports none."""
        try:
            return lock_told(self._ask(pin_command(), deadline))
        except (LinkRefused, CardMalformed, CardBusy) as error:
            _log.debug("%s", error)
            return None
        except CardError as error:
            if "modem_error" not in error.details:
                raise
            return lock_of(error)

    def reject_cause(self, *, deadline: Deadline) -> RejectCause:
        """Return the causes of the last refused attach.

        +CEREG reports the cause only at level 3 (TS 27.007, 10.1.22); lpad then restores the earlier level.
        """
        from lpad.protocol.pdp_context_commands import ERROR_REPORT, esm_cause_told, reject_cause_told  # noqa: PLC0415 - only for an unregistered modem

        emm = None
        level = self._level("+CEREG", deadline)
        if level is not None and self._tried(announcing_command("+CEREG", 3), deadline) is not None:
            try:
                answer = self._tried(registration_command("+CEREG"), deadline)
                emm = None if answer is None else reject_cause_told(answer)
            finally:
                with suppress(CardError):
                    self._ask(announcing_command("+CEREG", level), Deadline.after(_RESTORING))
        if emm is not None and emm != _ESM_FAILURE:
            return RejectCause(emm=emm)
        report = self._tried(ERROR_REPORT, deadline)
        return RejectCause(emm=emm, esm=None if report is None else esm_cause_told(report))

    def take(self, action: str, *, deadline: Deadline) -> bool:
        """Send a command whose answer has no information line; return whether the modem accepted it.

        Raises:
            CardUnreachable: the modem does not answer, or the port is gone.
            CardBusy: the SIM is busy.
        """
        try:
            self.at_port.ask(AtCommand(action), patience=_POWERING, deadline=deadline)
        except (LinkRefused, CardMalformed) as error:
            _log.warning("%s", error)
            return False
        return True

    def power(self, *, refused: Sequence[str], deadline: Deadline) -> Power:
        """Return whether everything is powered up, by the functionality level (3GPP TS 27.007, 8.2: +CFUN?).

        The level proves nothing about commands other than +CFUN that the modem has refused.
        """
        try:
            level = functionality_told(self._ask(functionality_command(), deadline))
        except CardError as error:
            if "modem_error" not in error.details and not isinstance(error, CardMalformed):
                raise
            _log.debug("%s", error)
            return Power.UNKNOWN
        if level is None:
            return Power.UNKNOWN
        if level != FULL:
            return Power.DOWN
        return Power.UP if all(text.upper().startswith(_FULL) for text in refused) else Power.UNKNOWN

    def forget_unsolicited(self) -> None:
        """Forget the unsolicited lines so far."""
        self.at_port.forget_unsolicited()

    def wait_for(self, beginnings: Sequence[str], *, deadline: Deadline) -> str | None:
        """Wait for an unsolicited line (see `AtPort`)."""
        return self.at_port.wait_for(beginnings, deadline=deadline)

    def _ask(self, command: AtCommand, deadline: Deadline) -> AtAnswer:
        return self.at_port.ask(command, patience=self.at_port.patience.information, deadline=deadline)

    def _level(self, network: str, deadline: Deadline) -> int | None:
        """Return the level of announcements about a kind of network; None if the modem does not report it."""
        answer = self._tried(registration_command(network), deadline)
        try:
            return None if answer is None else registration_told(network, answer).level
        except MalformedError as error:
            _log.debug("%s: %s", network, error)
            return None

    def _tried(self, command: AtCommand, deadline: Deadline) -> AtAnswer | None:
        """Return a successful answer; None: no answer, a refusal, or OK without the requested information."""
        try:
            answer = self.at_port.converse(
                command, patience=self.at_port.patience.information, deadline=deadline
            )
        except CardError as error:
            _log.debug("%s", error)
            if deadline.passed:
                raise
            return None
        return answer if answer.ok else None
