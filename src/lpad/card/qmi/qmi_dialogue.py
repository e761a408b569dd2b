"""The dialogue with a QMI modem: clients, one request at a time with its time limit, and indications."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeVar

from msgspec.structs import replace

from lpad.base.deadline import Deadline
from lpad.base.errors import CardError, CardMalformed, CardUnreachable, MalformedError, blamed_on
from lpad.card.modem.control_dialogue import NOW, ControlDialogue
from lpad.card.qmi.qmi_indications import QmiIndications
from lpad.card.qmi.qmi_refusals import refusal_of
from lpad.codec.qmi import card, control, data_session, device, network_registration
from lpad.codec.qmi.errors import Error
from lpad.codec.qmi.framing import (
    BROADCAST,
    MOST_CONTROL_TRANSACTION,
    MOST_TRANSACTION,
    Kind,
    Message,
    encode,
)
from lpad.codec.qmi.message_parameters import Body, decode, result_of
from lpad.codec.qmi.message_parameters import encode as encode_parameters
from lpad.codec.qmi.message_stream_splitting import Receiver
from lpad.codec.qmi.services import Ctl, Service

if TYPE_CHECKING:
    from lpad.card.link.card_change_reports import CardReportLog
    from lpad.card.link.held_qmi_clients import HeldClients
    from lpad.card.port.control_port import ControlPort

_log = logging.getLogger(__name__)

_B = TypeVar("_B", bound=Body)

OPENING = 5.0
"""Seconds for the control service's answer; an unanswered request for a client is repeated once."""
_PROXY_OPENING = 20.0
_RELEASING = 1.0
_PRIMARY = card.Session(kind=card.PRIMARY_SESSION)
_SUBSCRIPTIONS: dict[int, tuple[Body, ...]] = {
    Service.UIM: (
        card.RegisterEvents(mask=card.Events.CARD_STATUS | card.Events.SLOT_STATUS),
        card.RefreshRegisterAll(session=_PRIMARY, register=1),
    ),
    Service.NAS: (network_registration.RegisterIndications(), network_registration.SetEventReport()),
}
"""The reports that a new client subscribes to; if firmware refuses a report, lpad queries the modem from time
to time."""
_QUESTIONS: dict[int, Body] = {
    Service.WDS: data_session.GetPacketServiceStatus(),
    Service.DMS: device.GetOperatingMode(),
    Service.NAS: network_registration.GetServingSystem(),
    Service.UIM: card.GetCardStatus(),
}
"""For each service, a query that changes nothing."""


class QmiDialogue(ControlDialogue):
    """The dialogue with a QMI modem."""

    _indications: QmiIndications

    def __init__(self, port: ControlPort, held: HeldClients) -> None:
        """Use a port; nothing is sent before the first request.

        Args:
            held: the note of the clients that a process holds at this port.
        """
        super().__init__(port, QmiIndications())
        self.held = held
        self._receiver = Receiver()
        self._begun = False
        self._clients: dict[int, int] = {}
        self._control_transaction = 0
        self._transaction = 0
        self._abandoned: set[int] = set()
        self._resets = 0

    def ask(
        self, request: Body, kind: type[_B], *, attempted: str, patience: float, deadline: Deadline
    ) -> _B:
        """Send a request and return its answer (see `exchange`).

        Raises:
            CardUnreachable: as in `exchange`, or the modem refuses, perhaps without a reason (LinkRefused).
            CardBusy: the modem is starting up, or its SIM is in use.
            CardMalformed: the answer is not valid QMI.
        """
        answer = self.exchange(request, attempted=attempted, patience=patience, deadline=deadline)
        self.check(answer, attempted=attempted)
        return self.read(answer, kind, attempted=attempted)

    def order(self, request: Body, *, attempted: str, patience: float, deadline: Deadline) -> None:
        """Send a request whose answer has no content (see `ask`)."""
        answer = self.exchange(request, attempted=attempted, patience=patience, deadline=deadline)
        self.check(answer, attempted=attempted)

    def check(self, answer: Message, *, attempted: str) -> None:
        """Raise the error that an answer reports, if there is one."""
        error = self.error_of(answer, attempted=attempted)
        if error != Error.NONE:
            raise refusal_of(error, attempted=f"{attempted} at {self.name}")

    def error_of(self, answer: Message, *, attempted: str) -> int:
        """Return the error in an answer, 0 if it is successful.

        Raises:
            CardMalformed: the answer has no result.
        """
        with blamed_on(CardMalformed, attempted):
            result = result_of(answer.parameters)
        return (result.error or Error.INTERNAL) if result.failed else Error.NONE

    def read(self, answer: Message, kind: type[_B], *, attempted: str) -> _B:
        """Return the content of an answer.

        Raises:
            CardMalformed: the answer is not valid QMI.
        """
        with blamed_on(CardMalformed, attempted):
            return decode(kind, answer.parameters)

    def exchange(
        self,
        request: Body,
        *,
        attempted: str,
        patience: float,
        deadline: Deadline,
        client: int | None = None,
    ) -> Message:
        """Send a request and return its answer, which may be a refusal.

        If the modem was reset in the meantime, it knows none of lpad's clients and has not carried out
        the request. lpad then allocates a client again and repeats the request once, if `client` is None.

        Args:
            attempted: begins the sentence of an error.
            patience: the maximum number of seconds to wait for the answer.
            deadline: for the whole call, even if `patience` seconds have not passed.
            client: an allocated client of the request's service; None: the one that the dialogue allocates.

        Raises:
            CardUnreachable: no answer came in time, the port is gone, or the modem was reset meanwhile.
        """
        answer = self._exchange_once(
            request, attempted=attempted, patience=patience, deadline=deadline, client=client
        )
        if self.error_of(answer, attempted=attempted) != Error.INVALID_CLIENT_ID:
            return answer
        if client is not None:
            self._session_client_lost(client, deadline=deadline)
            return answer
        _log.info("%s: the modem was reset; lpad allocates its clients again", self.name)
        self._forget_clients()
        return self._exchange_once(request, attempted=attempted, patience=patience, deadline=deadline)

    def allocate(self, service: int, *, deadline: Deadline) -> int:
        """Allocate one more client of a service, which `close` does not give back; return its number.

        Raises:
            CardUnreachable: the modem has no free client, or does not answer.
        """
        self._begin(deadline)
        attempted = "cannot open the modem"
        answer = self._first_answer(control.AllocateClient(service=service), deadline=deadline)
        self.check(answer, attempted=attempted)
        return self.read(answer, control.AllocatedClient, attempted=attempted).client.client

    def give_back(self, service: int, client: int, *, deadline: Deadline) -> None:
        """Give back a client that `allocate` has returned, even one that the modem no longer knows.

        Raises:
            CardUnreachable: the modem does not answer.
        """
        self._begin(deadline)
        if not self._release(service, client, deadline=deadline.within(OPENING)):
            raise CardUnreachable(
                f"cannot give a client back at {self.name}: the modem did not answer in time; try again, or"
                " reset the modem"
            )

    def long_response(
        self, announced: card.LongResponse, *, attempted: str, patience: float, deadline: Deadline
    ) -> bytes:
        """Return an answer of the card that comes in pieces.

        Raises:
            CardUnreachable: a piece did not come in time.
        """
        until = deadline.within(patience)
        while True:
            whole = self._indications.long.take(announced)
            if whole is not None:
                return whole
            if not self._read(until):
                raise CardUnreachable(
                    f"{attempted} at {self.name}: the modem did not send all of a long answer; try again, or"
                    " reset the modem"
                )

    def wait_for_indication(
        self, wanted: frozenset[tuple[int, int]], *, deadline: Deadline
    ) -> tuple[int, int] | None:
        """Wait for an indication, or return one received since `forget_indications`; None if time is up.

        Args:
            wanted: service and number of each indication to wait for.

        Raises:
            CardUnreachable: the port is gone.
        """
        heard = self._indications.heard
        while True:
            while heard:
                message = heard.popleft()
                if (message.service, message.number) in wanted:
                    return message.service, message.number
            if not self._read(deadline):
                return None

    def rejection(self) -> int | None:
        """Return the cause of the profile's last rejected registration; None: the modem reported none.

        Raises:
            CardUnreachable: the port is gone.
        """
        self._read(NOW)
        return self._indications.rejection

    def forget_rejection(self) -> None:
        """Forget the cause of a rejected registration, because it no longer applies."""
        self._indications.rejection = None

    @property
    def card_reports(self) -> CardReportLog:
        """The indications about the card."""
        return self._indications.card_reports

    def close(self) -> None:
        """Release the port, and give back all clients but those noted for a later process; never raises."""
        try:
            while self._clients and not self._port.closed:
                service, client = self._clients.popitem()
                self._release(service, client, deadline=Deadline.after(_RELEASING))
                self.held.keep(self._clients)
            while self.held.sessions and not self.held.lasts and not self._port.closed:
                _, session = self.held.sessions.popitem()  # no later process could end this session
                self._release(Service.WDS, session.client, deadline=Deadline.after(_RELEASING))
        except CardError as error:
            _log.debug("%s", error)  # the modem was reset or unplugged, which ends the clients
        self._clients.clear()
        self._port.close()

    def _exchange_once(
        self,
        request: Body,
        *,
        attempted: str,
        patience: float,
        deadline: Deadline,
        client: int | None = None,
    ) -> Message:
        self._begin(deadline)
        self._read(NOW)  # the modem may have announced a reset
        if client is None:
            client = self._client_of(request.SERVICE, deadline=deadline)
        self._check_time(attempted, deadline)
        resets = self._resets
        answer = self._sent(request, client, deadline=deadline.within(patience))
        if answer is not None:
            return answer
        if self._resets != resets:
            raise CardUnreachable(f"{attempted} at {self.name}: the modem was reset; try again")
        self._receiver.forget()
        raise CardUnreachable(
            f"{attempted} at {self.name}: the modem did not answer in time; try again, or reset the modem"
        )

    def _begin(self, deadline: Deadline) -> None:
        """Name the device to the proxy, and give back the clients of a process that was killed.

        qmi-proxy 1.32 does not give back the clients of killed programs, so lpad does, even with a proxy.
        """
        if self._begun:
            return
        self._check_time("cannot open the modem", deadline)
        if self._port.through_proxy:
            self._open_by_proxy(deadline)
        for service, client in self.held.left_over:
            self._release(service, client, deadline=deadline.within(_RELEASING))
        self.held.keep({})
        self._begun = True

    def _open_by_proxy(self, deadline: Deadline) -> None:
        """Have qmi-proxy use the modem's device, which the proxy opens once for all its users."""
        answer = self._sent(control.ProxyOpen(path=self.name), 0, deadline=deadline.within(_PROXY_OPENING))
        attempted = f"cannot use {self.name} through qmi-proxy"
        if answer is None or self.error_of(answer, attempted=attempted) != Error.NONE:
            raise CardUnreachable(
                f"{attempted}: the proxy cannot open it; check that the modem is plugged in and that this is"
                " a QMI port"
            )

    def _client_of(self, service: int, *, deadline: Deadline) -> int:
        """Return lpad's client of a service, and allocate one if there is none."""
        if service == Service.CTL:
            return 0
        if service in self._clients:
            return self._clients[service]
        client = self.allocate(service, deadline=deadline)
        attempted = "cannot open the modem"
        self._clients[service] = client
        self.held.keep(self._clients)
        for subscription in _SUBSCRIPTIONS.get(service, ()):
            self._check_time(attempted, deadline)
            told = self._sent(subscription, client, deadline=deadline.within(OPENING))
            if told is None or self.error_of(told, attempted=attempted) != Error.NONE:
                _log.info("%s: the modem has not accepted %s", self.name, type(subscription).__name__)
        return client

    def _first_answer(self, request: control.AllocateClient, *, deadline: Deadline) -> Message:
        self._check_time("cannot open the modem", deadline)
        for again in (False, True):
            if again and deadline.passed:
                break
            answer = self._sent(request, 0, deadline=deadline.within(OPENING))
            if answer is not None:
                return answer
            self._abandoned.add(self._control_transaction)  # a client in a late answer is given back
            self._receiver.forget()
        raise CardUnreachable(
            f"cannot open the modem at {self.name}: it does not answer QMI's request for a client; check that"
            " this is a QMI port and not an MBIM port, stop other programs that use it, or reset the modem"
        )

    def _release(self, service: int, client: int, *, deadline: Deadline) -> bool:
        """Give a client back; return whether the modem has answered."""
        given = control.Client(service=service, client=client)
        if self._sent(control.ReleaseClient(client=given), 0, deadline=deadline) is not None:
            return True
        _log.info("%s: client %d of service %#04x may be lost", self.name, client, service)
        return False

    def _sent(self, request: Body, client: int, *, deadline: Deadline) -> Message | None:
        """Send a request and return its answer; None if time is up or the modem was reset."""
        transaction = self._send(request, client, deadline=deadline)
        wanted = (request.SERVICE, client, transaction, request.MESSAGE)
        resets = self._resets
        while self._resets == resets or request.SERVICE == Service.CTL:
            data = self._port.read(deadline=deadline)
            if not data:
                return None
            for message in self._take(data, wanted):
                if _place_of(message) == wanted:
                    return message
                _log.debug("%s: a late %r", self.name, message)
        return None

    def _send(self, request: Body, client: int, *, deadline: Deadline) -> int:
        if request.SERVICE == Service.CTL:
            transaction = self._control_transaction = self._control_transaction % MOST_CONTROL_TRANSACTION + 1
        else:
            transaction = self._transaction = self._transaction % MOST_TRANSACTION + 1
        message = Message(
            kind=Kind.REQUEST,
            service=request.SERVICE,
            client=client,
            transaction=transaction,
            number=request.MESSAGE,
            parameters=encode_parameters(request),
        )
        self._port.write(encode(message), deadline=deadline)
        return transaction

    def _take(self, data: bytes, awaited: tuple[int, int, int, int] | None = None) -> list[Message]:
        """Keep the indications in received data, and return the answers; `awaited`: the expected answer."""
        answers: list[Message] = []
        for message in self._receiver.receive(data):
            if message.kind is Kind.RESPONSE:
                if not self._is_abandoned(message):
                    answers.append(message)
                    if _place_of(message) == awaited:
                        self._indications.card_reports.answered()
            elif message.service == Service.CTL:
                if message.number == Ctl.SYNC:
                    _log.info("%s: the modem was reset", self.name)
                    self._forget_clients()
            elif self._is_ours(message):
                self._answer(self._indications.take(message))
                self._note_end(message)
        return answers

    def _is_ours(self, message: Message) -> bool:
        """Return whether an indication is for one of lpad's clients."""
        if message.client in (BROADCAST, self._clients.get(message.service)):
            return True
        sessions = self.held.sessions.values()
        return message.service == Service.WDS and message.client in [each.client for each in sessions]

    def _note_end(self, message: Message) -> None:
        """If an indication reports the end of lpad's session, note that its handle is no longer valid."""
        change = data_session.PacketServiceChange
        if (message.service, message.number) != (change.SERVICE, change.MESSAGE):
            return
        try:
            found = decode(change, message.parameters)
        except MalformedError:
            return
        if found.now.status != data_session.ConnectionStatus.DISCONNECTED:
            return
        for session in tuple(self.held.sessions.values()):
            if session.client == message.client and found.family in (None, session.family):
                self.held.keep_session(replace(session, handle=None))

    def _answer(self, done: card.RefreshComplete | None) -> None:
        """Send the answer that an indication needs, if any."""
        client = self._clients.get(Service.UIM)
        if done is not None and client is not None:
            self._send(done, client, deadline=Deadline.after(_RELEASING))

    def _is_abandoned(self, message: Message) -> bool:
        """Return whether a message is a late answer to an allocation; if so, give its client back."""
        allocates = (message.service, message.number) == (Service.CTL, Ctl.ALLOCATE_CLIENT)
        if not allocates or message.transaction not in self._abandoned:
            return False
        self._abandoned.discard(message.transaction)
        try:
            client = decode(control.AllocatedClient, message.parameters).client
        except MalformedError:
            return True  # the allocation was refused
        self._send(control.ReleaseClient(client=client), 0, deadline=Deadline.after(_RELEASING))
        return True

    def _session_client_lost(self, client: int, *, deadline: Deadline) -> None:
        """Forget a session, and all clients if the modem was reset, because their numbers may be reused."""
        for session in tuple(self.held.sessions.values()):
            if session.client == client:
                self.held.forget_session(session.family)
        for service, known in self._clients.items():
            answer = self._sent(_QUESTIONS[service], known, deadline=deadline.within(OPENING))
            attempted = "cannot find out whether the modem was reset"
            if answer and self.error_of(answer, attempted=attempted) == Error.INVALID_CLIENT_ID:
                self._forget_clients()
            return

    def _forget_clients(self) -> None:
        self._resets += 1
        self._indications.modem_was_reset()
        self._clients.clear()
        self.held.forget()


def _place_of(message: Message) -> tuple[int, int, int, int]:
    """Return service, client, transaction and number, which an answer shares with its request."""
    return message.service, message.client, message.transaction, message.number
