"""The dialogue with an MBIM function: one command at a time, each with its time limit, and typed refusals."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeVar

from lpad.base.deadline import Deadline
from lpad.base.errors import (
    CardError,
    CardMalformed,
    CardUnreachable,
    InternalError,
    MalformedError,
    blamed_on,
)
from lpad.card.link.card_change_reports import CardReportLog
from lpad.card.mbim.card_indications import card_report_of
from lpad.card.mbim.mbim_refusals import refusal_of
from lpad.card.modem.control_dialogue import ControlDialogue, Indications
from lpad.card.modem.control_refusals import pass_over
from lpad.codec.mbim.data_connection import ActivationState, ConnectStatus
from lpad.codec.mbim.framing import encode
from lpad.codec.mbim.information_buffer import Information, decode
from lpad.codec.mbim.information_buffer import encode as encode_information
from lpad.codec.mbim.messages import (
    Action,
    Close,
    Command,
    CommandDone,
    FunctionError,
    Indication,
    Open,
    OpenDone,
)
from lpad.codec.mbim.proxy_control import ProxyConfiguration
from lpad.codec.mbim.reassembly import Receiver
from lpad.codec.mbim.services import (
    BASIC_CONNECT,
    BASIC_CONNECT_EXTENSIONS,
    PROXY_CONTROL,
    Basic,
    Extended,
    Proxy,
)
from lpad.codec.mbim.statuses import ProtocolError, Status, error_name

if TYPE_CHECKING:
    from uuid import UUID

    from lpad.card.port.control_port import ControlPort
    from lpad.codec.mbim.messages import Message

_log = logging.getLogger(__name__)

_I = TypeVar("_I", bound=Information)

OPENING = 5.0
"""Seconds for the answer to Open; lpad sends Open once more, because a modem may lose the first one."""
_PROXY_OPENING = 20
_REPORTS = {
    (BASIC_CONNECT, Basic.SUBSCRIBER_READY_STATUS),
    (BASIC_CONNECT, Basic.REGISTER_STATE),
    (BASIC_CONNECT, Basic.PACKET_SERVICE),
    (BASIC_CONNECT, Basic.CONNECT),
    (BASIC_CONNECT_EXTENSIONS, Extended.SLOT_INFO_STATUS),
}
"""The indications after which the data connection may have changed."""
_LAST_TRANSACTION = 0xFFFFFFFF


class MbimDialogue(ControlDialogue):
    """The dialogue with an MBIM function.

    It never sends Close at its end, because that would end data connections that another program has made.
    """

    _indications: Indications[Indication]

    def __init__(self, port: ControlPort) -> None:
        """Use a port; nothing is sent before the first command."""
        super().__init__(port, Indications())
        self._receiver = Receiver()
        self._transaction = 0
        self._open = False
        self._configured = False
        self.card_reports = CardReportLog()
        """The indications about the card."""
        self.used_slot: int | None = None
        """The physical slot that lpad uses, from 0; None: `SimSlots` has not determined it."""
        self.session_ended = False
        """Whether the modem has indicated the end of session 0; reset when lpad opens the session."""

    def ask(
        self,
        service: UUID,
        cid: int,
        information: Information | None = None,
        *,
        action: int = Action.QUERY,
        attempted: str,
        patience: float,
        deadline: Deadline,
    ) -> bytes:
        """Send a command and return the information buffer of its answer; for the arguments see `exchange`.

        Raises:
            CardUnreachable: no answer in time, the port is gone, or the MBIM function refuses (LinkRefused).
            CardBusy: the modem or its SIM is busy.
            CardMalformed: the answer belongs to another command.
        """
        done = self.exchange(
            service,
            cid,
            information,
            action=action,
            attempted=attempted,
            patience=patience,
            deadline=deadline,
        )
        if done.status != Status.SUCCESS:
            raise refusal_of(done.status, attempted=f"{attempted} at {self.name}")
        return done.info

    def exchange(
        self,
        service: UUID,
        cid: int,
        information: Information | None = None,
        *,
        action: int = Action.QUERY,
        attempted: str,
        patience: float,
        deadline: Deadline,
    ) -> CommandDone:
        """Send a command and return its answer, whatever its status.

        If the MBIM function was reset in the meantime, it has not carried out the command: lpad opens it
        again and repeats the command once.

        Args:
            information: the content of the command; None: it has no content.
            attempted: begins the sentence of an error.
            patience: the maximum number of seconds to wait for the answer.
            deadline: for the whole call, even if `patience` seconds have not passed.

        Raises:
            CardUnreachable: no answer in time, the port is gone, or the modem refuses the message.
            CardMalformed: the answer belongs to another command.
        """
        info = b"" if information is None else encode_information(information)
        for repeated in (False, True):
            self._get_open(deadline=deadline)
            self._check_time(attempted, deadline)
            transaction = self._next_transaction()
            command = Command(transaction=transaction, service=service, cid=cid, action=action, info=info)
            until = deadline.within(patience)
            self._send(command, deadline=until)
            answer = self._answer(transaction, until)
            if isinstance(answer, CommandDone):
                if (answer.service, answer.cid) != (service, cid):
                    raise CardMalformed(f"{attempted}: the modem answered another command")
                return answer
            if answer is None:
                self._receiver.forget()
                raise CardUnreachable(
                    f"{attempted} at {self.name}: the modem did not answer in time; try again, or reset the"
                    " modem"
                )
            self._open = False
            if repeated or not _is_not_opened(answer):
                raise CardUnreachable(
                    f"{attempted} at {self.name}: the modem refuses the message ({_said(answer)}); try again,"
                    " or reset the modem"
                )
            _log.info("%s: the modem was reset; lpad opens its port again", self.name)
        raise InternalError("the second attempt returns or raises")

    def read(
        self,
        kind: type[_I],
        service: UUID,
        cid: int,
        information: Information | None = None,
        *,
        attempted: str,
        patience: float,
        deadline: Deadline,
    ) -> _I | None:
        """Query the modem (see `ask`); return None if the modem refuses, or its answer is unintelligible."""
        try:
            answer = self.ask(
                service, cid, information, attempted=attempted, patience=patience, deadline=deadline
            )
            with blamed_on(CardMalformed, attempted):
                return decode(kind, answer)
        except CardError as error:
            pass_over(error)
            return None

    def wait_for_indication(
        self, wanted: frozenset[tuple[UUID, int]], *, deadline: Deadline
    ) -> Indication | None:
        """Wait for an indication, or return one received since `forget_indications`; None if time is up.

        Args:
            wanted: service and command of each indication to wait for.

        Raises:
            CardUnreachable: the port is gone.
        """
        self._get_open(deadline=Deadline.after(OPENING))
        while True:
            while self._indications.heard:
                indication = self._indications.heard.popleft()
                if (indication.service, indication.cid) in wanted:
                    return indication
            if not self._read(deadline):
                return None

    def _get_open(self, *, deadline: Deadline) -> None:
        if self._open:
            return
        if self._port.through_proxy and not self._configured:
            self._configure_proxy(deadline)
        self._check_time("cannot open the modem", deadline)
        for again in (False, True):
            if again and deadline.passed:
                break
            until = deadline.within(OPENING)
            if again:  # the previous user may have left the function in an unknown state
                self._send(Close(transaction=self._next_transaction()), deadline=until)
            transaction = self._next_transaction()
            message = Open(transaction=transaction, max_transfer=self._port.max_transfer)
            self._send(message, deadline=until)
            answer = self._answer(transaction, until)
            if isinstance(answer, OpenDone):
                if answer.status != Status.SUCCESS:
                    raise refusal_of(answer.status, attempted=f"cannot open the modem at {self.name}")
                self._open = True
                return
            self._receiver.forget()
        raise CardUnreachable(
            f"cannot open the modem at {self.name}: it does not answer MBIM's Open; check that this is an"
            " MBIM port and not a QMI port, stop other programs that use it, or reset the modem"
        )

    def _configure_proxy(self, deadline: Deadline) -> None:
        """Have mbim-proxy use the modem's device, which the proxy opens once for all its users."""
        self._check_time("cannot use mbim-proxy", deadline)
        until = deadline.within(_PROXY_OPENING)
        transaction = self._next_transaction()
        wish = ProxyConfiguration(path=self.name, timeout=_PROXY_OPENING)
        command = Command(
            transaction=transaction,
            service=PROXY_CONTROL,
            cid=Proxy.CONFIGURATION,
            action=Action.SET,
            info=encode_information(wish),
        )
        self._send(command, deadline=until)
        answer = self._answer(transaction, until)
        if not isinstance(answer, CommandDone) or answer.status != Status.SUCCESS:
            raise CardUnreachable(
                f"cannot use {self.name} through mbim-proxy: the proxy cannot open it; check that the modem"
                " is plugged in and that this is an MBIM port"
            )
        self._configured = True

    def _next_transaction(self) -> int:
        self._transaction = self._transaction % _LAST_TRANSACTION + 1
        return self._transaction

    def _send(self, message: Message, *, deadline: Deadline) -> None:
        for fragment in encode(message, max_transfer=self._port.max_transfer):
            self._port.write(fragment, deadline=deadline)

    def _answer(self, transaction: int, deadline: Deadline) -> Message | None:
        """Return the answer to a transaction, or None if time is up; drop answers to earlier transactions."""
        while True:
            data = self._port.read(deadline=deadline)
            if not data:
                return None
            for message in self._take(data, transaction):
                if message.transaction == transaction:
                    return message
                _log.debug("%s: dropped a late %s", self.name, type(message).__name__)

    def _take(self, data: bytes, awaited: int | None = None) -> list[Message]:
        """Keep the indications in received data for later, and return the other messages.

        Args:
            awaited: the transaction whose answer is expected; None: no answer is expected.
        """
        answers: list[Message] = []
        for message in self._receiver.receive(data):
            if isinstance(message, Indication):
                self._indications.reported |= (message.service, message.cid) in _REPORTS
                self.card_reports.add(card_report_of(message, used_slot=self.used_slot))
                self.session_ended = self.session_ended or _ends_session(message)
                self._indications.heard.append(message)
            else:
                if _is_not_opened(message):
                    self._open = False
                answers.append(message)
                if message.transaction == awaited:
                    self.card_reports.answered()
        return answers


def _ends_session(indication: Indication) -> bool:
    """Return whether an indication reports the end of session 0; a malformed indication reports nothing."""
    if (indication.service, indication.cid) != (BASIC_CONNECT, Basic.CONNECT):
        return False
    try:
        status = decode(ConnectStatus, indication.info)
    except MalformedError:
        return False
    return status.session == 0 and status.activation == ActivationState.DEACTIVATED


def _is_not_opened(message: Message) -> bool:
    return isinstance(message, FunctionError) and message.error == ProtocolError.NOT_OPENED


def _said(message: Message) -> str:
    return error_name(message.error) if isinstance(message, FunctionError) else type(message).__name__
