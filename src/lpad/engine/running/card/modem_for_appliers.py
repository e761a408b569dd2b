"""The modem of a card, in the form that appliers of network settings get."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from lpad.base.frozen import Frozen
from lpad.card.modem.network_reattachment import attach_anew
from lpad.card.port.port_protocol import PortProtocol, protocol_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lpad.base.deadline import Deadline
    from lpad.card.modem.at_port import AtPort
    from lpad.card.modem.modem import ControlModem
    from lpad.card.modem.modem_lent_by_link import LentModem
    from lpad.engine.running.card.card_with_open_link import Card
    from lpad.protocol.at_dialogue import AtAnswer, AtCommand
    from lpad.protocol.data_session_types import SessionReport, SessionWish
    from lpad.protocol.pdp_context_commands import AuthenticationCommand
    from lpad.protocol.registration_answer import Registration


class ModemDialogue(Frozen):
    """A modem's AT port while lpad holds it."""

    _lent: LentModem
    _port: AtPort

    @property
    def authentication_command(self) -> AuthenticationCommand:
        """The AT command with which the modem's family stores user name and password."""
        return self._lent.quirks.authentication_command

    @property
    def operator_configuration(self) -> Mapping[str, str]:
        """AT queries whether the card selects the operator configuration, with the answer that means yes."""
        return self._lent.quirks.operator_configuration

    def ask(self, command: AtCommand, *, deadline: Deadline) -> AtAnswer:
        """Send a command once; any final result code counts as an answer, even an error.

        Raises:
            CardUnreachable: the modem does not answer in time, or its port has disappeared.
        """
        return self._port.converse(command, patience=self._port.patience.information, deadline=deadline)

    def attach_anew(self, *, deadline: Deadline) -> bool:
        """Make the modem detach and attach; return whether it accepted the commands.

        Raises:
            CardUnreachable: the modem does not answer in time, or its port has disappeared.
        """
        return attach_anew(self._lent, deadline=deadline)


class ControlPortSession(Frozen):
    """The data session of a modem on a control port (MBIM, QMI), while lpad holds the port."""

    _lent: LentModem
    _modem: ControlModem

    def registration(self, *, deadline: Deadline) -> tuple[Registration, ...]:
        """Return the modem's registration; empty: the modem does not report it.

        Raises:
            CardUnreachable: the modem does not answer in time, or its port has disappeared.
        """
        return self._modem.registrations(deadline=deadline)

    def report(self, *, deadline: Deadline) -> SessionReport:
        """Return the state of the session.

        Raises:
            CardUnreachable: the modem does not answer in time, or its port has disappeared.
        """
        return self._modem.session(deadline=deadline)

    def attach_settings(self, *, deadline: Deadline) -> tuple[SessionWish, ...]:
        """Return the settings of the initial bearer; empty: the modem does not report them.

        Raises:
            CardUnreachable: the modem does not answer in time, or its port has disappeared.
        """
        return self._modem.attach_settings(deadline=deadline)

    def attach_with(self, wish: SessionWish, *, deadline: Deadline) -> bool:
        """Store other settings for the initial bearer, and attach again; return whether the modem did so.

        Raises:
            CardUnreachable: the modem does not answer in time, or its port has disappeared.
        """
        if not self._modem.store_attach_settings(wish, deadline=deadline):
            return False
        return attach_anew(self._lent, deadline=deadline)

    def open(self, wish: SessionWish, *, deadline: Deadline) -> SessionReport:
        """Open the session with these settings, in place of an open one; return its state.

        Raises:
            CardUnreachable: the modem does not answer in time, or its port has disappeared.
        """
        return self._modem.open_session(wish, deadline=deadline)


class ModemAtHand(Frozen):
    """The modem that contains a worker's card."""

    _card: Card

    @property
    def port(self) -> str | None:
        """The port through which lpad reaches the modem now; None if the card is in a reader."""
        return self._card.device

    @property
    def imei(self) -> str | None:
        """The IMEI, 15 digits; None if unknown."""
        imei = self._card.imei()
        return None if imei is None else str(imei)

    @contextmanager
    def dialogue(self, *, deadline: Deadline) -> Iterator[ModemDialogue | None]:
        """Borrow the modem's AT port; yield None if there is none, or the modem was returned to its owner.

        Raises:
            CardError: the port has disappeared, or another program uses it.
        """
        if self._card.port.loan.was_lent and not self._card.is_open:
            yield None  # the modem is in use by another program, and borrowing it would end the connection
            return
        with self._card.open(deadline=deadline).lend_modem(deadline=deadline) as lent:
            if lent is None or lent.modem.at_port is None:
                yield None  # a modem on a control port accepts no AT commands; see `session`
            else:
                yield ModemDialogue(lent, lent.modem.at_port)

    @contextmanager
    def session(self, *, deadline: Deadline) -> Iterator[ControlPortSession | None]:
        """Use the modem's control port; yield None if there is none; an AT port is not opened for this.

        Raises:
            CardError: the port has disappeared, or another program uses it.
        """
        others = self._card.port.several_ports
        if self.port is None or (not others and protocol_of(self.port) is PortProtocol.AT):
            yield None
            return
        with self._card.open(deadline=deadline).lend_modem(deadline=deadline) as lent:
            if lent is None or lent.modem.control is None:
                yield None
            else:
                yield ControlPortSession(lent, lent.modem.control)
