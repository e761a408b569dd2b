"""The link over MBIM to a simulated modem: the contract of all links, and MBIM's own behaviour."""

from __future__ import annotations

import select
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest

from card.link.one_read import OneRead
from card.link_contract import EID, GET_EID, LinkContract, Rig, soon
from card.scripted_card import ScriptedCard
from lpad.base.errors import CardBusy, CardError, CardStatus, CardUnreachable
from lpad.base.identifiers import ISD_R
from lpad.card.isdr.isdr import isdr_session
from lpad.card.link.card_change_reports import NO_CARD_REPORT, CardReport
from lpad.card.link.remembered_links import LinkMemory
from lpad.card.mbim.mbim_link import GROUP, MbimLink, open_mbim_link
from lpad.codec import es10_intents
from lpad.codec.mbim.basic_connect import SlotInfo, SlotState
from lpad.codec.mbim.framing import encode
from lpad.codec.mbim.information_buffer import decode
from lpad.codec.mbim.information_buffer import encode as encode_information
from lpad.codec.mbim.messages import Action, Close, Command, CommandDone, Indication, Message, Open
from lpad.codec.mbim.reassembly import Receiver
from lpad.codec.mbim.services import BASIC_CONNECT, BASIC_CONNECT_EXTENSIONS, UICC, Basic, Extended, Uicc
from lpad.codec.mbim.statuses import ProtocolError, Status, error_name
from lpad.codec.mbim.uicc_access import LPA_CAPABILITY, ApduRequest, TerminalCapability
from lpad.simulator.mbim.behaviour import MbimBehaviour
from lpad.simulator.mbim.control_port import MbimModem
from lpad.simulator.modem.personality import ModemPersonality
from lpad.simulator.modem.pty_modem import PtyModem
from lpad.simulator.qmi.control_port import QmiModem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIGNAL_STATE = 11
"""MBIM_CID_SIGNAL_STATE: modems report it often, and it belongs to no layer of the data connection."""


@contextmanager
def rig_with(
    path: str, card: ScriptedCard | None = None, **habits: Any
) -> Iterator[tuple[MbimModem, MbimLink]]:
    card = card or ScriptedCard(answers={GET_EID: EID})
    with MbimModem(card, path=path, behaviour=MbimBehaviour(**habits)) as modem:
        link = open_mbim_link(modem.path, memory=LinkMemory(None))
        try:
            yield modem, link
        finally:
            link.close()


def get_eid(link: MbimLink) -> bytes:
    with isdr_session(link, deadline=soon()) as isdr:
        return isdr.command(GET_EID, intent=es10_intents.GET_EID, deadline=soon())


HABITS: dict[str, dict[str, Any]] = {
    "by the letter": {},
    "fragments": {"max_transfer": 64},
    "passes 61xx on": {"fetches_response": False},
    "class byte of the host": {"builds_class": False, "fetches_response": False},
    "no channel in the class byte": {"refuses_channel_in_class": True},
    "only P2 0C": {"select_p2": (12,)},
    "only class byte type 0": {"class_byte_types": (0,)},
    "no extensions": {"extensions": False},
    "without indications": {"indication_delay": None},
}


@pytest.mark.parametrize(
    ("habits", "place"), [*((each, "cdc-wdm0") for each in HABITS), ("by the letter", "unix:")]
)
class TestContract(LinkContract):
    """The contract of links, with each habit of a modem on a pty, and with a modem on a socket."""

    @pytest.fixture
    def rig(self, habits: str, place: str, tmp_path: Path) -> Iterator[Rig]:
        where = f"unix:{tmp_path}/mbim" if place == "unix:" else str(tmp_path / place)
        card = ScriptedCard()
        with rig_with(where, card, **HABITS[habits]) as (_, link):
            yield Rig(link, card)

    def test_gives_up_on_an_answer_without_end(self, rig: Rig) -> None:
        """If the modem itself fetches an answer without end, it gives up, and lpad reports an error."""
        rig.card.endless = True
        rig.card.answers[GET_EID] = EID
        with pytest.raises(CardError):
            self.command(rig, GET_EID)
        assert rig.card.open == set()


def test_channels_of_a_killed_process_are_closed_at_the_start(tmp_path: Path) -> None:
    """Lpad closes its own channel group before it opens a channel; other programs' channels stay open."""
    card = ScriptedCard(answers={GET_EID: EID})
    with rig_with(str(tmp_path / "cdc-wdm0"), card, leaked_channels=3, leaked_group=GROUP) as (modem, link):
        assert card.free_channels == []
        assert get_eid(link) == EID
        assert modem.function.channels.open == {}
    with rig_with(str(tmp_path / "cdc-wdm1"), leaked_channels=1, leaked_group=1) as (modem, link):
        assert get_eid(link) == EID
        assert list(modem.function.channels.open.values()) == [1]


def test_the_parameters_that_worked_are_remembered(tmp_path: Path) -> None:
    """With the remembered parameters, the second link opens its channel at the first attempt."""
    card = ScriptedCard(answers={GET_EID: EID})
    habits = MbimBehaviour(select_p2=(4,), class_byte_types=(0,))
    with MbimModem(card, path=tmp_path / "cdc-wdm0", behaviour=habits) as modem:
        for expected in (3, 1):
            link = open_mbim_link(modem.path, memory=LinkMemory(tmp_path / "links"))
            before = opened_channels(modem)
            assert get_eid(link) == EID
            link.close()
            assert opened_channels(modem) - before == expected
    assert "490154203237518" not in "".join(path.read_text() for path in (tmp_path / "links").iterdir())


@pytest.mark.parametrize("refusal", [0x6E00, 0x6881, 0x6985], ids="{:04X}".format)
def test_another_type_of_class_byte_is_tried_after_each_refusal(refusal: int, tmp_path: Path) -> None:
    """After each status word by which firmware refuses a type of class byte, lpad tries the other type."""
    habits: dict[str, Any] = {"class_byte_types": (0,), "class_refusal": refusal}
    with rig_with(str(tmp_path / "cdc-wdm0"), **habits) as (modem, link):
        assert get_eid(link) == EID
        sent = [decode(ApduRequest, each.info).class_byte_type for each in uicc_commands(modem, Uicc.APDU)]
        assert sent == [1, 0]


def test_a_command_that_may_not_be_repeated_is_sent_once(tmp_path: Path) -> None:
    """A command that must not be repeated is sent once, because 6985 may be the card's own answer to it."""
    habits: dict[str, Any] = {"class_byte_types": (0,), "class_refusal": 0x6985}
    with (
        rig_with(str(tmp_path / "cdc-wdm0"), **habits) as (modem, link),
        isdr_session(link, deadline=soon()) as isdr,
        pytest.raises(CardStatus, match="6985"),
    ):
        isdr.command(GET_EID, deadline=soon())
    assert len(uicc_commands(modem, Uicc.APDU)) == 1


def test_a_function_that_another_program_left_open_is_closed_first(tmp_path: Path) -> None:
    """After an Open without an answer, Close ends the earlier use before the second Open."""
    with rig_with(str(tmp_path / "cdc-wdm0")) as (modem, link):
        modem.once(executed=False, lost=True)
        assert get_eid(link) == EID
        assert [type(each) for each in modem.received][:4] == [Open, Close, Open, Command]


@pytest.mark.parametrize("status", [Status.BUSY, Status.STK_BUSY, Status.NOT_INITIALIZED], ids=str)
def test_a_busy_modem_is_asked_again(status: Status, tmp_path: Path) -> None:
    """If the modem is busy, opening a channel is repeated; within a session, the error advises a retry."""
    with rig_with(str(tmp_path / "cdc-wdm0")) as (modem, link):
        modem.once(UICC, Uicc.OPEN_CHANNEL, status=status)
        assert get_eid(link) == EID
        assert len(uicc_commands(modem, Uicc.OPEN_CHANNEL)) == 2
        modem.once(UICC, Uicc.APDU, status=status)
        with pytest.raises(CardBusy, match="starting up or its SIM is in use; try again"):
            get_eid(link)


@pytest.mark.parametrize(
    "error", [each for each in ProtocolError if each is not ProtocolError.NOT_OPENED], ids=str
)
def test_a_function_error_is_named(error: ProtocolError, tmp_path: Path) -> None:
    """After a function error, lpad's error has the reason, no message is repeated, and a retry works."""
    with rig_with(str(tmp_path / "cdc-wdm0")) as (modem, link):
        assert get_eid(link) == EID
        before = len(uicc_commands(modem, Uicc.APDU))
        modem.once(UICC, Uicc.APDU, error=error)
        with pytest.raises(CardUnreachable, match=f"refuses the message .{error_name(error)}.; try again"):
            get_eid(link)
        assert len(uicc_commands(modem, Uicc.APDU)) == before + 1
        assert get_eid(link) == EID


def test_a_modem_that_loses_a_transaction(tmp_path: Path) -> None:
    """Whichever answer is lost, lpad reports the loss in time, and the next attempt works."""
    card = ScriptedCard(answers={GET_EID: EID})
    for lost in range(6):
        habits = MbimBehaviour(lost_transaction=lost)
        with MbimModem(card, path=tmp_path / f"wdm{lost}", behaviour=habits) as modem:
            link = open_mbim_link(modem.path, overrides={"patience": {"apdu": 0.3, "information": 0.3}})
            with suppress(CardUnreachable):
                get_eid(link)
            assert get_eid(link) == EID
            link.close()
            again = open_mbim_link(modem.path)
            assert get_eid(again) == EID
            again.close()
            assert modem.function.channels.open == {}, "a channel whose number lpad never learned is closed"


def test_a_reset_modem_is_opened_again(tmp_path: Path) -> None:
    """A reset between two sessions causes no error; a reset within one ends it with a retryable error."""
    with rig_with(str(tmp_path / "cdc-wdm0")) as (modem, link):
        assert get_eid(link) == EID
        modem.do(lambda function: function.lose_power())
        assert get_eid(link) == EID
        with isdr_session(link, deadline=soon()) as isdr:
            isdr.command(GET_EID, intent=es10_intents.GET_EID, deadline=soon())
            modem.do(lambda function: function.lose_power())
            with pytest.raises(CardUnreachable, match="channel was lost") as caught:
                isdr.command(GET_EID, intent=es10_intents.GET_EID, deadline=soon())
            assert caught.value.retryable
        assert get_eid(link) == EID


def test_a_lost_answer_ends_in_time_and_the_next_command_works(tmp_path: Path) -> None:
    """If a modem loses one transaction, the error comes after the time for an APDU."""
    card = ScriptedCard(answers={GET_EID: EID})
    with MbimModem(card, path=tmp_path / "cdc-wdm0") as modem:
        link = open_mbim_link(modem.path, overrides={"patience": {"apdu": 0.3, "information": 0.3}})
        modem.once(UICC, Uicc.APDU, lost=True)
        with pytest.raises(CardUnreachable, match="did not answer in time"):
            get_eid(link)
        assert get_eid(link) == EID
        link.close()


def test_a_late_answer_is_not_taken_for_the_next_one(tmp_path: Path) -> None:
    """A late answer is not taken for the next request's, because answers are assigned by transaction."""
    card = ScriptedCard(answers={GET_EID: EID})
    with MbimModem(card, path=tmp_path / "cdc-wdm0") as modem:
        link = open_mbim_link(modem.path, overrides={"patience": {"apdu": 0.3}})
        assert get_eid(link) == EID
        modem.once(UICC, Uicc.CLOSE_CHANNEL, delay=0.6)
        get_eid(link)
        link.quirks = link.quirks.merged({"patience": {"apdu": 30.0}})
        link.modem.patience = link.quirks.patience
        assert get_eid(link) == EID
        link.close()


def test_noise_before_an_answer_is_skipped(tmp_path: Path) -> None:
    """Bytes of a message whose beginning was lost do not hide the answer."""
    with rig_with(str(tmp_path / "cdc-wdm0")) as (modem, link):
        modem.once(UICC, Uicc.APDU, before=b"\xff" * 37)
        assert get_eid(link) == EID


def test_a_silent_modem_is_named(tmp_path: Path) -> None:
    """Without an answer to Open the error names the port and what to check."""
    with MbimModem(ScriptedCard(), path=tmp_path / "cdc-wdm0") as modem:
        link = open_mbim_link(modem.path)
        for _ in range(4):
            modem.once(executed=False, lost=True)
        with pytest.raises(CardUnreachable, match="does not answer MBIM's Open; check that this is an MBIM"):
            link.imei(deadline=soon().within(3))
        link.close()


@pytest.mark.parametrize("other", [PtyModem, QmiModem])
def test_a_port_of_another_kind_is_named(other: type[PtyModem | QmiModem], tmp_path: Path) -> None:
    """If an AT or QMI port has an MBIM port's name, the error gives the remedy and allows a retry."""
    with other(ScriptedCard(), path=tmp_path / "wwan0mbim0") as modem:
        link = open_mbim_link(modem.path)
        with pytest.raises(CardUnreachable, match="check that this is an MBIM port and not a QMI") as caught:
            link.imei(deadline=soon().within(2))
        assert caught.value.retryable
        link.close()


def test_a_vanished_port_is_named_and_comes_back(tmp_path: Path) -> None:
    """If the modem leaves the bus, the session ends immediately; a new link works once the modem is back."""
    with rig_with(str(tmp_path / "cdc-wdm0")) as (modem, link):
        get_eid(link)
        modem.once(UICC, Uicc.APDU, vanish=True)
        with pytest.raises(CardUnreachable, match="has disappeared"):
            get_eid(link)
        with pytest.raises(CardUnreachable, match="no such port"):
            open_mbim_link(modem.path)
        modem.come_back()
        again = open_mbim_link(modem.path)
        assert get_eid(again) == EID
        again.close()


def test_an_idle_link_hears_the_modem(tmp_path: Path) -> None:
    """An indication makes the descriptor readable and is reported once; a vanished port is an error."""
    with rig_with(str(tmp_path / "cdc-wdm0")) as (modem, link):
        get_eid(link)
        poll = select.poll()
        poll.register(link.fileno(), select.POLLIN)
        link.hear(deadline=soon())  # the indication of the registration at the start
        modem.do(lambda function: function.modem.radio.set_function(4))
        assert poll.poll(10_000)
        assert link.hear(deadline=soon()) is True
        assert link.hear(deadline=soon()) is False
        modem.once(vanish=True)
        with pytest.raises(CardUnreachable):
            get_eid(link)
        with pytest.raises(CardUnreachable, match="has disappeared"):
            link.hear(deadline=soon())


def test_an_indication_among_the_answers_is_not_lost(tmp_path: Path) -> None:
    """An indication of a changed connection before an answer sets `reported` until `hear` is called."""
    with rig_with(str(tmp_path / "cdc-wdm0")) as (modem, link):
        get_eid(link)
        link.hear(deadline=soon())
        report = Indication(service=BASIC_CONNECT, cid=Basic.CONNECT)
        signal = Indication(service=BASIC_CONNECT, cid=SIGNAL_STATE)
        for indication, heard in ((signal, False), (report, True)):
            modem.once(UICC, Uicc.APDU, before=b"".join(encode(indication, max_transfer=4096)))
            assert get_eid(link) == EID
            assert link.reported is heard
            assert link.hear(deadline=soon()) is heard
            assert link.reported is False


@pytest.mark.parametrize(("number", "report"), [(1, CardReport.GONE), (0, NO_CARD_REPORT)])
def test_only_the_slot_in_use_is_reported(number: int, report: CardReport, tmp_path: Path) -> None:
    """If the settings select the second of two slots, an indication that the first is empty is ignored."""
    card = ScriptedCard(answers={GET_EID: EID})
    habits = MbimBehaviour(slots=2, card_slot=1)
    with MbimModem(card, path=tmp_path / "wdm", behaviour=habits) as modem:
        link = open_mbim_link(modem.path, overrides={"sim_slot": 2})
        assert get_eid(link) == EID
        link.take_card_report()
        modem.once(UICC, Uicc.APDU, before=_slot_indication(number, SlotState.OFF_EMPTY))
        assert get_eid(link) == EID
        assert link.card_report == report
        link.close()


def test_an_insertion_during_a_failing_attempt_is_not_lost(tmp_path: Path) -> None:
    """A report that came before the modem's refusal is outdated, and one that came after it is kept."""
    with rig_with(str(tmp_path / "cdc-wdm0")) as (modem, link):
        assert get_eid(link) == EID
        modem.do(lambda function: function.remove_card())
        _hear_removal(link)
        started = _slot_indication(0, SlotState.ACTIVE_ESIM)
        modem.once(UICC, Uicc.OPEN_CHANNEL, before=started)
        with pytest.raises(CardUnreachable):
            get_eid(link)
        assert link.card_report == NO_CARD_REPORT
        modem.once(BASIC_CONNECT_EXTENSIONS, Extended.SYS_CAPS, before=started)
        with pytest.raises(CardUnreachable):
            get_eid(link)
        assert link.card_report is CardReport.STARTED


def test_an_insertion_read_together_with_the_refusal_is_not_lost(tmp_path: Path) -> None:
    """A report on the card that arrives in one read with the refusal before it is kept."""
    with rig_with(str(tmp_path / "cdc-wdm0")) as (modem, link):
        assert get_eid(link) == EID
        modem.do(lambda function: function.remove_card())
        _hear_removal(link)
        dialogue: Any = link.modem.dialogue

        def refused(message: Message) -> bool:
            return isinstance(message, CommandDone) and message.cid == Uicc.OPEN_CHANNEL

        started = _slot_indication(0, SlotState.ACTIVE_ESIM)
        dialogue._port = OneRead(dialogue._port, Receiver(), after=refused, extra=started)
        with pytest.raises(CardUnreachable):
            get_eid(link)
        assert link.take_card_report() is CardReport.STARTED
        assert link.take_card_report() == NO_CARD_REPORT


def _hear_removal(link: MbimLink) -> None:
    """Wait until the modem has reported that the slot is empty, which it may do after its next answer."""
    deadline = soon()
    while CardReport.GONE not in link.card_report:
        assert select.select([link.fileno()], [], [], deadline.remaining())[0], link.card_report
        link.hear(deadline=deadline)


def _slot_indication(number: int, state: SlotState) -> bytes:
    return b"".join(
        encode(
            Indication(
                service=BASIC_CONNECT_EXTENSIONS,
                cid=Extended.SLOT_INFO_STATUS,
                info=encode_information(SlotInfo(slot=number, state=state)),
            ),
            max_transfer=4096,
        )
    )


def test_a_port_in_use_is_busy(tmp_path: Path) -> None:
    """Two direct readers of a port would get each other's answers, so the second is refused."""
    with rig_with(str(tmp_path / "cdc-wdm0")) as (modem, _), pytest.raises(CardBusy, match="holds it"):
        open_mbim_link(modem.path)


def test_a_missing_card_is_reported_with_the_slots(tmp_path: Path) -> None:
    """If the slot in use is empty, the error names the slot with the card and the setting for it."""
    with (
        rig_with(str(tmp_path / "cdc-wdm0"), slots=2, card_slot=1) as (_, link),
        pytest.raises(
            CardUnreachable,
            match=r"slot 1 \(active\) is empty, slot 2 has .*set the quirk 'sim_slot' to 2",
        ),
    ):
        get_eid(link)


def test_a_card_without_isdr_is_told_from_a_full_one(tmp_path: Path) -> None:
    """SelectFailed for every AID and every P2 is reported as a card without an ISD-R, not as a full card."""
    with (
        rig_with(str(tmp_path / "cdc-wdm0"), ScriptedCard(applications=())) as (_, link),
        pytest.raises(CardStatus, match="not an eUICC"),
    ):
        link.open_channel((ISD_R,), deadline=soon())


def test_a_card_that_hides_its_isdr_gets_the_terminal_capability(tmp_path: Path) -> None:
    """If a card hides its ISD-R, the modem declares an LPA and restarts the card, once per modem start."""
    card = ScriptedCard(answers={GET_EID: EID})
    memory = LinkMemory(tmp_path / "links")
    for place in ("wdm0", "wdm1"):  # It is the same modem, which was switched off in between.
        with MbimModem(card, path=tmp_path / place, behaviour=MbimBehaviour(hides_isdr=True)) as modem:
            for resets in (1, 1):
                link = open_mbim_link(modem.path, memory=memory)
                assert get_eid(link) == EID
                link.close()
                assert len(uicc_commands(modem, Uicc.RESET)) == resets


def test_a_lost_restart_is_made_up_for(tmp_path: Path) -> None:
    """If the order to restart the card was lost, lpad restarts the card at the next opening."""
    card = ScriptedCard(answers={GET_EID: EID})
    memory = LinkMemory(tmp_path / "links")
    habits = MbimBehaviour(hides_isdr=True)
    with MbimModem(card, path=tmp_path / "wdm", behaviour=habits) as modem:
        modem.once(UICC, Uicc.RESET, executed=False, lost=True)
        link = open_mbim_link(modem.path, memory=memory, overrides={"patience": {"apdu": 0.5}})
        with pytest.raises(CardError):
            link.open_channel((ISD_R,), deadline=soon())
        link.close()
        link = open_mbim_link(modem.path, memory=memory)
        assert get_eid(link) == EID
        link.close()


@pytest.mark.parametrize(("memory", "forgets"), [(LinkMemory(None), True), (None, False)])
def test_a_card_is_not_restarted_in_vain(tmp_path: Path, memory: LinkMemory | None, *, forgets: bool) -> None:
    """In a trial, as in lpad setup, or if the modem forgets lpad's declaration, the card is not restarted."""
    habits = MbimBehaviour(hides_isdr=True, forgets_capabilities=forgets)
    with MbimModem(ScriptedCard(applications=()), path=tmp_path / "wdm", behaviour=habits) as modem:
        link = open_mbim_link(modem.path, memory=memory)
        with pytest.raises(CardStatus, match="not an eUICC"):
            link.open_channel((ISD_R,), deadline=soon())
        link.close()
        assert not uicc_commands(modem, Uicc.RESET)


def test_other_terminal_capabilities_are_kept(tmp_path: Path) -> None:
    """Another program's terminal capability stays; a card without an ISD-R is restarted only once."""
    with rig_with(str(tmp_path / "wdm"), ScriptedCard(applications=())) as (modem, link):
        link.modem.dialogue.ask(
            UICC,
            Uicc.TERMINAL_CAPABILITY,
            TerminalCapability(objects=(b"\x81\x00",)),
            action=Action.SET,
            attempted="cannot prepare the modem",
            patience=9.0,
            deadline=soon(),
        )
        for _ in range(2):
            with pytest.raises(CardStatus, match="not an eUICC"):
                link.open_channel((ISD_R,), deadline=soon())
        wished = [
            each for each in uicc_commands(modem, Uicc.TERMINAL_CAPABILITY) if each.action == Action.SET
        ]
        assert [decode(TerminalCapability, each.info).objects for each in wished[1:]] == [
            (b"\x81\x00", LPA_CAPABILITY)
        ]
        assert len(uicc_commands(modem, Uicc.RESET)) == 1


def test_an_apdu_with_the_channel_in_its_class_byte_that_is_refused(tmp_path: Path) -> None:
    """If the class byte with the channel is refused at first, lpad leaves the channel out (lpac#114)."""
    card = ScriptedCard(answers={GET_EID: EID})
    with rig_with(str(tmp_path / "cdc-wdm0"), card, refuses_channel_in_class=True) as (modem, link):
        assert get_eid(link) == EID
        asked = [each.cid for each in modem.received if isinstance(each, Command) and each.service == UICC]
        assert asked.count(Uicc.APDU) == 2
        modem.received.clear()
        with isdr_session(link, deadline=soon()) as isdr:
            assert isdr.command(GET_EID, deadline=soon()) == isdr.command(GET_EID, deadline=soon()) == EID
        asked = [each.cid for each in modem.received if isinstance(each, Command) and each.service == UICC]
        assert asked.count(Uicc.APDU) == 3


def test_a_session_sends_one_message_for_each_apdu(tmp_path: Path) -> None:
    """With a known modem, a session sends one message to open a channel, one per APDU, one to close it."""
    with rig_with(str(tmp_path / "cdc-wdm0")) as (modem, link):
        get_eid(link)
        modem.received.clear()
        get_eid(link)
        asked = [each.cid for each in modem.received if isinstance(each, Command)]
        assert asked == [Uicc.OPEN_CHANNEL, Uicc.APDU, Uicc.CLOSE_CHANNEL]
        assert len(modem.received) == len(asked)


def opened_channels(modem: MbimModem) -> int:
    return sum(
        isinstance(each, Command) and (each.service, each.cid) == (UICC, Uicc.OPEN_CHANNEL)
        for each in modem.received
    )


def test_a_family_with_known_habits_is_asked_rightly_at_once(tmp_path: Path) -> None:
    """With an L860, lpad's first attempt has P2 0C, the extended type, and no channel in the class byte."""
    habits = MbimBehaviour(select_p2=(12,), class_byte_types=(1,), refuses_channel_in_class=True)
    personality = ModemPersonality(manufacturer="Fibocom", model="L860-GL")
    card = ScriptedCard(answers={GET_EID: EID})
    with MbimModem(card, path=tmp_path / "wdm", personality=personality, behaviour=habits) as modem:
        link = open_mbim_link(modem.path)
        assert get_eid(link) == EID
        assert "Fibocom L850, L860" in link.describe().quirks
        link.close()
        assert len(uicc_commands(modem, Uicc.OPEN_CHANNEL)) == 1
        assert len(uicc_commands(modem, Uicc.APDU)) == 1


def uicc_commands(modem: MbimModem, cid: Uicc) -> list[Command]:
    return [
        each
        for each in modem.received
        if isinstance(each, Command) and (each.service, each.cid) == (UICC, cid)
    ]


def slot_changes(modem: MbimModem) -> int:
    mapping = (BASIC_CONNECT_EXTENSIONS, Extended.DEVICE_SLOT_MAPPINGS)
    return sum(
        (each.service, each.cid, each.action) == (*mapping, Action.SET)
        for each in modem.received
        if isinstance(each, Command)
    )


def test_the_slots_are_shown_and_not_changed(tmp_path: Path) -> None:
    """If the card is in the second slot and the modem uses the first, lpad names both and changes nothing."""
    with rig_with(str(tmp_path / "wdm"), slots=2, card_slot=1) as (modem, link):
        with pytest.raises(CardUnreachable, match="slot 2 has a card"):
            get_eid(link)
        assert link.describe().slots == ("slot 1 (active) is empty", "slot 2 has a card")
        assert slot_changes(modem) == 0


def test_the_slot_is_changed_if_the_settings_say_so(tmp_path: Path) -> None:
    """If the settings name slot 2, lpad uses the card in it; the next link need not change the slot."""
    card = ScriptedCard(answers={GET_EID: EID})
    habits = MbimBehaviour(slots=2, card_slot=1)
    with MbimModem(card, path=tmp_path / "wdm", behaviour=habits) as modem:
        for _ in range(2):
            link = open_mbim_link(modem.path, overrides={"sim_slot": 2})
            assert get_eid(link) == EID
            assert link.describe().slots == ("slot 1 is empty", "slot 2 (active) has a card")
            link.close()
        assert slot_changes(modem) == 1


def test_the_card_in_the_new_slot_is_used_once_it_has_started(tmp_path: Path) -> None:
    """If the card in the new slot starts slowly, lpad opens no channel before it has started (lpac#241)."""
    card = ScriptedCard(answers={GET_EID: EID})
    habits = MbimBehaviour(slots=2, card_slot=1, slot_start=1.2)
    with MbimModem(card, path=tmp_path / "wdm", behaviour=habits) as modem:
        link = open_mbim_link(modem.path, overrides={"sim_slot": 2})
        assert get_eid(link) == EID
        assert len(uicc_commands(modem, Uicc.OPEN_CHANNEL)) == 1
        link.close()


@pytest.mark.parametrize("slots", [1, 2])
def test_a_slot_that_the_modem_lacks_is_named(slots: int, tmp_path: Path) -> None:
    """If the settings name a slot that the modem lacks, the error lists the slots and names the setting."""
    card = ScriptedCard(answers={GET_EID: EID})
    with MbimModem(card, path=tmp_path / "wdm", behaviour=MbimBehaviour(slots=slots)) as modem:
        link = open_mbim_link(modem.path, overrides={"sim_slot": 3})
        with pytest.raises(CardUnreachable, match="sim_slot") as found:
            get_eid(link)
        assert not found.value.retryable
        link.close()
