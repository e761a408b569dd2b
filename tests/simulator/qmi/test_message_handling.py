"""The simulated QMI function: its answers to requests, and each of its habits."""

from __future__ import annotations

from typing import Any, TypeVar

import pytest

from card.scripted_card import ScriptedCard
from lpad.base.identifiers import ISD_R
from lpad.codec.qmi import card as uim
from lpad.codec.qmi import control, device, network_registration
from lpad.codec.qmi.errors import Error
from lpad.codec.qmi.framing import Kind, Message
from lpad.codec.qmi.message_parameters import Body, decode, encode, result_of
from lpad.codec.qmi.services import Service
from lpad.simulator.qmi.behaviour import QmiBehaviour
from lpad.simulator.qmi.message_handling import QmiFunction

_B = TypeVar("_B", bound=Body)

GET_EID = bytes.fromhex("80E2910003BF2000")


def started(card: ScriptedCard | None = None, **habits: Any) -> QmiFunction:
    """Return a function on which client 1 of each service is allocated."""
    function = QmiFunction(card or ScriptedCard(), behaviour=QmiBehaviour(**habits))
    for service in (Service.WDS, Service.DMS, Service.NAS, Service.UIM):
        assert asked(function, control.AllocateClient(service=service))[0] == Error.NONE
    return function


def asked(function: QmiFunction, body: Body, *, client: int = 1) -> tuple[int, Message]:
    """Return the error and the response of a request."""
    (answer,) = function.receive(
        Message(
            kind=Kind.REQUEST,
            service=body.SERVICE,
            client=client if body.SERVICE else 0,
            transaction=7,
            number=body.MESSAGE,
            parameters=encode(body),
        )
    )
    assert (answer.kind, answer.transaction, answer.number) == (Kind.RESPONSE, 7, body.MESSAGE)
    return result_of(answer.parameters).error, answer


def got(function: QmiFunction, body: Body, answer: type[_B]) -> _B:
    error, response = asked(function, body)
    assert error == Error.NONE
    return decode(answer, response.parameters)


def opened(function: QmiFunction) -> int:
    answer = got(function, uim.OpenLogicalChannel(slot=1, aid=bytes(ISD_R)), uim.OpenedLogicalChannel)
    assert answer.channel is not None
    return answer.channel


def events(function: QmiFunction) -> list[int]:
    function.settle()
    return [each.number for each in function.indications()]


def test_a_request_needs_a_client() -> None:
    """A request of a client that was never allocated, or was released, gets InvalidClientId."""
    function = started()
    assert asked(function, device.GetIds(), client=9)[0] == Error.INVALID_CLIENT_ID
    given = control.ReleaseClient(client=control.Client(service=Service.DMS, client=1))
    assert asked(function, given)[0] == Error.NONE
    assert asked(function, given)[0] == Error.INVALID_CLIENT_ID
    assert asked(function, device.GetIds())[0] == Error.INVALID_CLIENT_ID


def test_clients_run_out() -> None:
    """If all client IDs are in use, AllocateClient gets ClientIdsExhausted until the modem restarts."""
    function = QmiFunction(ScriptedCard(), behaviour=QmiBehaviour(clients=2, leaked_clients=2))
    request = control.AllocateClient(service=Service.UIM)
    assert asked(function, request)[0] == Error.CLIENT_IDS_EXHAUSTED
    function.lose_power()
    assert asked(function, request)[0] == Error.NONE


def test_a_transaction_may_be_lost() -> None:
    """By its habit, a function carries out one request without a response, and answers the next."""
    function = QmiFunction(ScriptedCard(), behaviour=QmiBehaviour(lost_transaction=0))
    request = Message(
        kind=Kind.REQUEST,
        service=Service.CTL,
        client=0,
        transaction=7,
        number=control.AllocateClient.MESSAGE,
        parameters=encode(control.AllocateClient(service=Service.UIM)),
    )
    assert function.receive(request) == []
    assert list(function.clients) == [(Service.UIM, 1)]
    assert asked(function, control.AllocateClient(service=Service.UIM))[0] == Error.NONE


def test_a_slot_may_start_slowly() -> None:
    """By its habit, a card is absent for a time after a change of the slot, and no channel opens."""
    function = started(slots=2, card_slot=2, slot_start=3600.0)
    assert asked(function, uim.SwitchSlot(logical=1, physical=2))[0] == Error.NONE
    told = got(function, uim.GetCardStatus(), uim.CardStatus).status
    assert told == uim.Cards(cards=(uim.Card(state=uim.CardState.ABSENT),))
    assert got(function, uim.GetSlotStatus(), uim.SlotStatus).slots[1].iccid == b""
    request = uim.OpenLogicalChannel(slot=1, aid=bytes(ISD_R))
    assert asked(function, request)[0] == Error.UIM_UNINITIALIZED


def test_sync_frees_the_clients_of_everybody() -> None:
    """SYNC releases the clients of all programs."""
    function = started()
    assert asked(function, control.Sync())[0] == Error.NONE
    assert function.clients == {}


def test_a_reset_is_announced_and_clients_are_void() -> None:
    """After a loss of power, the function sends the indication SYNC, and has no clients or channels."""
    function = started()
    number = opened(function)
    function.lose_power()
    (told,) = function.indications()
    assert (told.service, told.number, told.kind) == (Service.CTL, control.Sync.MESSAGE, Kind.INDICATION)
    request = uim.SendApdu(slot=1, apdu=GET_EID, channel=number)
    assert asked(function, request)[0] == Error.INVALID_CLIENT_ID
    assert function.channels == set()


def test_an_unknown_message_is_refused() -> None:
    """An unknown message, a disabled one and a missing parameter each get their own error."""
    function = started(slot_status=False)
    unknown = Message(kind=Kind.REQUEST, service=Service.UIM, client=1, transaction=1, number=0x7777)
    assert result_of(function.receive(unknown)[0].parameters).error == Error.INVALID_QMI_COMMAND
    assert asked(function, uim.GetSlotStatus())[0] == Error.NOT_SUPPORTED
    bare = Message(
        kind=Kind.REQUEST, service=Service.UIM, client=1, transaction=1, number=uim.SendApdu.MESSAGE
    )
    assert result_of(function.receive(bare)[0].parameters).error == Error.MISSING_ARGUMENT


def test_a_channel_is_opened_used_and_closed() -> None:
    """A channel can be opened, used for an APDU, and closed; then it cannot be used."""
    card = ScriptedCard(answers={bytes.fromhex("BF2000"): b"data"})
    function = started(card)
    number = opened(function)
    sent = uim.SendApdu(slot=1, apdu=GET_EID, channel=number)
    assert got(function, sent, uim.ApduAnswer).response == b"data\x90\x00"
    assert card.sent[-1].cla == 0x80 | number
    closed = got(function, uim.CloseLogicalChannel(slot=1, channel=number), uim.ClosedLogicalChannel)
    assert closed.sw == uim.StatusWord(sw1=0x90, sw2=0)
    assert asked(function, sent)[0] == Error.INVALID_ARGUMENT
    assert card.open == set()


def test_a_card_without_the_application_reports_this() -> None:
    """If the card lacks the application, the answer is SimFileNotFound; a habit omits the status word."""
    for tells in (True, False):
        function = started(ScriptedCard(applications=()), tells_status_word=tells)
        error, answer = asked(function, uim.OpenLogicalChannel(slot=1, aid=bytes(ISD_R)))
        assert error == Error.SIM_FILE_NOT_FOUND
        found = decode(uim.OpenedLogicalChannel, answer.parameters)
        assert found.sw == (uim.StatusWord(sw1=0x6A, sw2=0x82) if tells else None)


@pytest.mark.parametrize(
    ("habits", "error"),
    [
        ({"channels": 0}, Error.INSUFFICIENT_RESOURCES),
        ({"bars_isdr": True}, Error.ACCESS_DENIED),
        ({"slots": 2, "mapped_slot": 2}, Error.NO_SIM),
        ({"leaked_channels": 3}, Error.INSUFFICIENT_RESOURCES),
    ],
)
def test_a_channel_may_be_refused(habits: dict[str, Any], error: Error) -> None:
    """Each habit that refuses a channel has its error."""
    assert asked(started(**habits), uim.OpenLogicalChannel(slot=1, aid=bytes(ISD_R)))[0] == error


@pytest.mark.parametrize("fails", [False, True])
def test_a_long_answer_comes_in_pieces(fails: bool) -> None:  # noqa: FBT001 - a parameter of the table
    """A long answer comes in indications after the response, which, by a habit, has an error."""
    data = bytes(range(250))
    card = ScriptedCard(answers={bytes.fromhex("BF2000"): data})
    function = started(card, long_response=100, long_response_fails=fails)
    error, answer = asked(function, uim.SendApdu(slot=1, apdu=GET_EID, channel=opened(function)))
    assert error == (Error.INSUFFICIENT_RESOURCES if fails else Error.NONE)
    told = decode(uim.ApduAnswer, answer.parameters).long
    assert told is not None
    assert told.total == 252
    pieces = [decode(uim.ApduIndication, each.parameters).piece for each in function.indications()]
    assert [each.offset for each in pieces] == [0, 100, 200]
    assert b"".join(each.data for each in pieces) == data + b"\x90\x00"
    assert {each.token for each in pieces} == {told.token}


def test_a_refresh_waits_for_the_clients_that_registered() -> None:
    """A refresh starts when the clients registered for it have sent RefreshComplete; its end is indicated."""
    card = ScriptedCard(proactive=bytes.fromhex("D009810301010482028182"), status=0x910B)
    function = started(card)
    assert asked(function, uim.RefreshRegisterAll(session=uim.Session(kind=0), register=1))[0] == Error.NONE
    asked(function, uim.SendApdu(slot=1, apdu=GET_EID, channel=opened(function)))
    resets = card.resets
    assert events(function) == [uim.RefreshIndication.MESSAGE]
    assert card.resets == resets
    assert function.due is not None
    assert asked(function, uim.RefreshComplete(session=uim.Session(kind=0)))[0] == Error.NONE
    assert uim.RefreshIndication.MESSAGE in events(function)
    assert card.resets == resets + 1
    assert function.refreshes_unanswered == 0


def test_a_refresh_waits_only_for_a_time() -> None:
    """If a registered client does not answer, the refresh starts after a time and is counted."""
    card = ScriptedCard(proactive=bytes.fromhex("D009810301010482028182"), status=0x910B)
    function = started(card, refresh_patience=0.0)
    asked(function, uim.RefreshRegisterAll(session=uim.Session(kind=0), register=1))
    asked(function, uim.SendApdu(slot=1, apdu=GET_EID, channel=opened(function)))
    resets = card.resets
    function.settle()
    function.settle()
    assert card.resets == resets + 1
    assert function.refreshes_unanswered == 1


@pytest.mark.parametrize(("delay", "count"), [(0.0, 2), (None, 0), (3600.0, 0)])
def test_indications_come_late_or_not_at_all(delay: float | None, count: int) -> None:
    """By its habit, a function sends card and slot indications immediately, late or never."""
    function = started(indication_delay=delay)
    mask = uim.Events.CARD_STATUS | uim.Events.SLOT_STATUS
    assert got(function, uim.RegisterEvents(mask=0xFF), uim.RegisteredEvents).mask == mask
    asked(function, uim.PowerOff(slot=1))
    asked(function, uim.PowerOn(slot=1))
    assert len(events(function)) == count
    assert (function.due is not None) == (delay == 3600.0)


def test_a_power_state_that_exists_is_not_a_change() -> None:
    """Power on while the card has power, or a switch to the active slot, gets NoEffect."""
    function = started()
    assert asked(function, uim.PowerOn(slot=1))[0] == Error.NO_EFFECT
    assert asked(function, uim.SwitchSlot(logical=1, physical=1))[0] == Error.NO_EFFECT
    assert asked(function, uim.PowerOff(slot=1))[0] == Error.NONE
    assert asked(function, uim.GetAtr(slot=1))[0] == Error.NO_SIM


def test_a_reset_may_need_the_modem_offline() -> None:
    """By its habit, a modem can be reset only while it is offline, and cannot go online again."""
    function = started(reset_needs_offline=True)
    reset = device.SetOperatingMode(mode=device.OperatingMode.RESET)
    assert asked(function, reset)[0] == Error.INCOMPATIBLE_STATE
    asked(function, device.SetOperatingMode(mode=device.OperatingMode.OFFLINE))
    online = device.SetOperatingMode(mode=device.OperatingMode.ONLINE)
    assert asked(function, online)[0] == Error.INCOMPATIBLE_STATE
    assert asked(function, reset)[0] == Error.NONE
    assert function.restarts


def test_the_registration_is_that_of_the_modem() -> None:
    """Without an enabled profile the modem is not registered, and its answer has no roaming state."""
    found = got(started(), network_registration.GetServingSystem(), network_registration.ServingSystemStatus)
    assert found.system.registration == network_registration.RegistrationState.NOT_REGISTERED
    assert found.roaming is None
