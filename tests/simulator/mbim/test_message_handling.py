"""The simulated MBIM function: its answers to requests, and each of its habits."""

from __future__ import annotations

import time
from typing import Any

import pytest

from card.scripted_card import ScriptedCard
from lpad.base.identifiers import ISD_R
from lpad.codec.mbim import basic_connect as basic
from lpad.codec.mbim import uicc_access as uicc
from lpad.codec.mbim.information_buffer import decode, encode
from lpad.codec.mbim.messages import Action, Close, Command, CommandDone, FunctionError, Indication, Open
from lpad.codec.mbim.services import BASIC_CONNECT, BASIC_CONNECT_EXTENSIONS, UICC, Basic, Extended, Uicc
from lpad.codec.mbim.statuses import ProtocolError, Status
from lpad.simulator.mbim.behaviour import MbimBehaviour
from lpad.simulator.mbim.message_handling import MbimFunction


def opened(card: ScriptedCard | None = None, **habits: Any) -> MbimFunction:
    function = MbimFunction(card or ScriptedCard(), behaviour=MbimBehaviour(**habits))
    function.receive(Open(transaction=1, max_transfer=4096))
    return function


def ask(function: MbimFunction, service: Any, cid: int, information: Any = None) -> CommandDone:
    command = Command(
        transaction=2,
        service=service,
        cid=cid,
        action=Action.QUERY if information is None else Action.SET,
        info=b"" if information is None else encode(information),
    )
    (answer,) = function.receive(command)
    assert isinstance(answer, CommandDone)
    return answer


def open_channel(function: MbimFunction, *, p2: int = 0, group: int = 7) -> CommandDone:
    request = uicc.OpenChannelRequest(aid=bytes(ISD_R), select_p2=p2, group=group)
    return ask(function, UICC, Uicc.OPEN_CHANNEL, request)


def send(function: MbimFunction, channel: int, apdu: str, *, kind: int = 1) -> uicc.ApduAnswer:
    request = uicc.ApduRequest(channel=channel, class_byte_type=kind, apdu=bytes.fromhex(apdu))
    return decode(uicc.ApduAnswer, ask(function, UICC, Uicc.APDU, request).info)


def test_nothing_is_answered_before_open() -> None:
    """A function that is not open, or was closed, answers a command with NotOpened."""
    function = MbimFunction(ScriptedCard())
    command = Command(transaction=4, service=BASIC_CONNECT, cid=Basic.DEVICE_CAPS)
    refusal = FunctionError(transaction=4, error=ProtocolError.NOT_OPENED)
    assert function.receive(command) == [refusal]
    function.receive(Open(transaction=1, max_transfer=4096))
    function.receive(Close(transaction=2))
    assert function.receive(command) == [refusal]


def test_an_unknown_command_is_refused() -> None:
    """A command or a service that the function lacks gets NoDeviceSupport."""
    assert ask(opened(), BASIC_CONNECT, 77).status == Status.NO_DEVICE_SUPPORT
    assert ask(opened(extensions=False), BASIC_CONNECT_EXTENSIONS, 7).status == Status.NO_DEVICE_SUPPORT


def test_a_wrong_information_buffer_is_refused() -> None:
    """A request that is too short, or whose pointer leads out of the buffer, gets InvalidParameters."""
    request = basic.SlotRequest(slot=0xFFFFFFFF)
    assert ask(opened(), UICC, Uicc.OPEN_CHANNEL, request).status == Status.INVALID_PARAMETERS
    whole = encode(uicc.OpenChannelRequest(aid=bytes(ISD_R), select_p2=0, group=7))
    beyond = whole[:4] + len(whole).to_bytes(4, "little") + whole[8:]
    for info, status in ((whole, Status.SUCCESS), (beyond, Status.INVALID_PARAMETERS)):
        command = Command(transaction=2, service=UICC, cid=Uicc.OPEN_CHANNEL, action=Action.SET, info=info)
        (answer,) = opened().receive(command)
        assert isinstance(answer, CommandDone)
        assert answer.status == status


def test_the_function_builds_the_class_byte() -> None:
    """The function sets the APDU's class byte from its type and channel, and ignores the host's."""
    card = ScriptedCard()
    function = opened(card)
    number = decode(uicc.OpenChannelAnswer, open_channel(function).info).channel
    send(function, number, "00E2910003BF2000")
    assert card.sent[-1].cla == 0x80 | number
    send(function, number, "80F2000000", kind=0)
    assert card.sent[-1].cla == 0x80 | number


@pytest.mark.parametrize("kind", [0, 1])
def test_a_function_may_refuse_a_class_byte_type(kind: int) -> None:
    """By its habit, a function accepts only one class byte type, and answers 6E to the other."""
    function = opened(class_byte_types=(1 - kind,))
    number = decode(uicc.OpenChannelAnswer, open_channel(function).info).channel
    assert send(function, number, "80E2910003BF2000", kind=kind).status == 0x6E
    assert send(function, number, "80E2910003BF2000", kind=1 - kind).status == 0x90


def test_select_may_fail_until_p2_is_right() -> None:
    """By its habit, a function fails a SELECT with a P2 other than its own, and closes the channel."""
    card = ScriptedCard()
    function = opened(card, select_p2=(12,))
    assert open_channel(function).status == Status.SELECT_FAILED
    assert card.open == set()
    assert open_channel(function, p2=12).status == Status.SUCCESS


def test_channels_run_out_and_a_group_closes_its_own() -> None:
    """A request to close channel 0 closes all channels of the named group, and only those."""
    card = ScriptedCard()
    function = opened(card, channels=2)
    open_channel(function, group=1)
    open_channel(function, group=7)
    assert open_channel(function).status == Status.NO_LOGICAL_CHANNELS
    ask(function, UICC, Uicc.CLOSE_CHANNEL, uicc.CloseChannelRequest(channel=0, group=7))
    assert list(function.channels.open.values()) == [1]


@pytest.mark.parametrize("fetches", [True, False])
def test_61xx_is_fetched_or_passed_on(fetches: bool) -> None:  # noqa: FBT001 - a parameter of the table
    """The habit decides whether the function fetches the data after 61xx, or passes 61xx on."""
    card = ScriptedCard(portion=8)
    card.answers[bytes.fromhex("BF2000")] = bytes(20)
    function = opened(card, fetches_response=fetches)
    number = decode(uicc.OpenChannelAnswer, open_channel(function).info).channel
    answer = send(function, number, "80E2910003BF2000")
    assert (answer.status & 0xFF, len(answer.response)) == ((0x90, 20) if fetches else (0x61, 0))


def test_a_forgetful_function_must_be_opened_again() -> None:
    """By its habit, a function closes itself after a few commands, without notice and with its channels."""
    function = opened(forgets_open=2)
    open_channel(function)
    ask(function, BASIC_CONNECT, Basic.DEVICE_CAPS)
    command = Command(transaction=9, service=BASIC_CONNECT, cid=Basic.DEVICE_CAPS)
    assert function.receive(command) == [FunctionError(transaction=9, error=ProtocolError.NOT_OPENED)]
    assert function.channels.open == {}


def test_a_transaction_may_be_lost() -> None:
    """By its habit, a function carries out one command without an answer, and answers the next."""
    card = ScriptedCard()
    function = opened(card, lost_transaction=1)
    open_channel(function)
    command = Command(
        transaction=9,
        service=UICC,
        cid=Uicc.CLOSE_CHANNEL,
        action=Action.SET,
        info=encode(uicc.CloseChannelRequest(channel=0, group=7)),
    )
    assert function.receive(command) == []
    assert card.open == set()
    assert ask(function, BASIC_CONNECT, Basic.DEVICE_CAPS).status == Status.SUCCESS


def test_a_slot_may_start_slowly() -> None:
    """By its habit, a card is not ready for a time after a change of the slot, as its states show."""
    function = opened(slots=2, card_slot=1, slot_start=3600.0)
    ask(function, BASIC_CONNECT_EXTENSIONS, Extended.DEVICE_SLOT_MAPPINGS, basic.SlotMappings(slots=(1,)))
    told = ask(function, BASIC_CONNECT_EXTENSIONS, Extended.SLOT_INFO_STATUS, basic.SlotRequest(slot=1))
    assert decode(basic.SlotInfo, told.info).state == basic.SlotState.NOT_READY
    assert open_channel(function).status == Status.NOT_INITIALIZED
    ready = decode(
        basic.SubscriberReadyStatus, ask(function, BASIC_CONNECT, Basic.SUBSCRIBER_READY_STATUS).info
    )
    assert (ready.ready_state, ready.sim_iccid) == (basic.ReadyState.NOT_INITIALIZED, "")


def test_another_slot_has_no_card() -> None:
    """In the slot without the card no channel opens; after a change to the other slot, one does."""
    function = opened(slots=2, card_slot=1)
    assert open_channel(function).status == Status.SIM_NOT_INSERTED
    told = ask(
        function, BASIC_CONNECT_EXTENSIONS, Extended.DEVICE_SLOT_MAPPINGS, basic.SlotMappings(slots=(1,))
    )
    assert decode(basic.SlotMappings, told.info).slots == (1,)
    assert open_channel(function).status == Status.SUCCESS
    assert isinstance(function.indications()[0], Indication)


@pytest.mark.parametrize(("delay", "count"), [(0.0, 1), (None, 0), (3600.0, 0)])
def test_indications_come_late_or_not_at_all(delay: float | None, count: int) -> None:
    """By its habit, a function sends the SIM's indication immediately, late or never."""
    function = opened(indication_delay=delay)
    for on in (0, 1):
        ask(function, BASIC_CONNECT, Basic.RADIO_STATE, basic.SetRadioState(radio=on))
    function.settle()
    ready = [
        each
        for each in function.indications()
        if isinstance(each, Indication) and each.cid == Basic.SUBSCRIBER_READY_STATUS
    ]
    assert len(ready) == count
    assert (function.due is not None) == (delay == 3600.0)
    assert function.due is None or function.due > time.monotonic()


def test_terminal_capability_is_sent_when_the_card_starts() -> None:
    """TERMINAL CAPABILITY is sent to the card, in A9, only after the card's next reset."""
    card = ScriptedCard()
    function = opened(card)
    objects = uicc.TerminalCapability(objects=(bytes.fromhex("830107"),))
    ask(function, UICC, Uicc.TERMINAL_CAPABILITY, objects)
    assert all(each.ins != 0xAA for each in card.sent)
    ask(function, UICC, Uicc.RESET, uicc.ResetRequest(pass_through=0))
    assert card.sent[-1].data == bytes.fromhex("A903830107")
