"""The link over QMI to a simulated modem: the contract of all links, and QMI's own behaviour."""

from __future__ import annotations

import select
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest

from card.link.one_read import OneRead
from card.link_contract import EID, GET_EID, LinkContract, Rig, soon
from card.scripted_card import IMEI, ScriptedCard
from lpad.base.errors import CardBusy, CardError, CardStatus, CardUnreachable
from lpad.base.identifiers import ISD_R
from lpad.card.isdr.isdr import isdr_session
from lpad.card.link.card_change_reports import NO_CARD_REPORT, CardReport
from lpad.card.link.remembered_links import LinkMemory
from lpad.card.qmi.qmi_link import QmiLink, open_qmi_link
from lpad.card.qmi.qmi_modem import LADDER
from lpad.card.qmi.sim_slots import slots_of, used_slot
from lpad.codec import es10_intents
from lpad.codec.qmi import card as uim
from lpad.codec.qmi import control, device
from lpad.codec.qmi.errors import Error
from lpad.codec.qmi.framing import BROADCAST, Kind, Message, encode
from lpad.codec.qmi.message_parameters import encode as encode_parameters
from lpad.codec.qmi.message_stream_splitting import Receiver
from lpad.codec.qmi.services import Service, Uim
from lpad.simulator.mbim.control_port import MbimModem
from lpad.simulator.modem.personality import ModemPersonality
from lpad.simulator.modem.pty_modem import PtyModem
from lpad.simulator.qmi.behaviour import QmiBehaviour
from lpad.simulator.qmi.control_port import QmiModem
from lpad.simulator.qmi.message_handling import QmiClient

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

QUICK = {"patience": {"apdu": 2.0}}
REFRESH = bytes.fromhex("D009810301010482028182")


@contextmanager
def rig_with(
    path: str, card: ScriptedCard | None = None, *, quirks: dict[str, Any] | None = None, **habits: Any
) -> Iterator[tuple[QmiModem, QmiLink]]:
    card = card or ScriptedCard(answers={GET_EID: EID})
    with QmiModem(card, path=path, behaviour=QmiBehaviour(**habits)) as modem:
        link = open_qmi_link(modem.path, overrides=quirks)
        try:
            yield modem, link
        finally:
            link.close()
            assert modem.function.clients == {}


def get_eid(link: QmiLink) -> bytes:
    with isdr_session(link, deadline=soon()) as isdr:
        return isdr.command(GET_EID, intent=es10_intents.GET_EID, deadline=soon())


def sent(modem: QmiModem) -> list[tuple[int, int]]:
    return [(each.service, each.number) for each in modem.received]


HABITS: dict[str, dict[str, Any]] = {
    "passes 61xx on": {},
    "fetches the answer": {"fetches_response": True},
    "class byte of the host": {"builds_class": False},
    "no status word": {"tells_status_word": False},
    "long answers": {"fetches_response": True, "long_response": 64},
    "long answers in refusals": {"long_response": 100, "long_response_fails": True},
    "no slot status": {"slot_status": False},
    "without indications": {"indication_delay": None},
}


@pytest.mark.parametrize(
    ("habits", "place"), [*((each, "cdc-wdm0") for each in HABITS), ("passes 61xx on", "unix:")]
)
class TestContract(LinkContract):
    """The contract of links, with each habit of a modem on a pty, and with a modem on a socket."""

    @pytest.fixture
    def rig(self, habits: str, place: str, tmp_path: Path) -> Iterator[Rig]:
        where = f"unix:{tmp_path}/qmi" if place == "unix:" else str(tmp_path / place)
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


def test_a_session_sends_one_message_for_each_apdu(tmp_path: Path) -> None:
    """With a known modem, a session sends one message to open a channel, one per APDU, one to close it."""
    with rig_with(str(tmp_path / "cdc-wdm0")) as (modem, link):
        get_eid(link)
        modem.received.clear()
        get_eid(link)
        bodies = (uim.OpenLogicalChannel, uim.SendApdu, uim.CloseLogicalChannel)
        assert sent(modem) == [(each.SERVICE, each.MESSAGE) for each in bodies]


def test_clients_are_given_back_and_sync_is_never_sent(tmp_path: Path) -> None:
    """After many links, lpad has no client left in the modem, and another program still has its client."""
    with QmiModem(ScriptedCard(answers={GET_EID: EID}), path=tmp_path / "cdc-wdm0") as modem:
        modem.do(lambda function: function.clients.update({(Service.UIM, 9): QmiClient()}))
        for _ in range(20):
            link = open_qmi_link(modem.path)
            assert get_eid(link) == EID
            link.close()
        assert set(modem.function.clients) == {(Service.UIM, 9)}
        assert (control.Sync.SERVICE, control.Sync.MESSAGE) not in sent(modem)


def test_clients_of_a_killed_process_are_given_back(tmp_path: Path) -> None:
    """The next process releases exactly the clients that the note of a killed process names."""
    memory = LinkMemory(tmp_path / "links")
    with QmiModem(
        ScriptedCard(answers={GET_EID: EID}), path=tmp_path / "cdc-wdm0", behaviour=QmiBehaviour(clients=2)
    ) as modem:
        for _ in range(5):
            killed = open_qmi_link(modem.path, memory=memory)
            assert get_eid(killed) == EID
            killed.modem.dialogue._port.close()
        assert len(modem.function.clients) == 2
        link = open_qmi_link(modem.path, memory=memory)
        assert get_eid(link) == EID
        link.close()
        assert modem.function.clients == {}
        assert list((tmp_path / "links").glob("*.clients")) == []


def test_the_channel_of_a_killed_process_is_closed(tmp_path: Path) -> None:
    """The next process closes the channel on which the ISD-R answers, and leaves other channels open."""
    memory = LinkMemory(tmp_path / "links")
    card = ScriptedCard(answers={GET_EID: EID})
    habits = QmiBehaviour(leaked_channels=1)
    with QmiModem(card, path=tmp_path / "cdc-wdm0", behaviour=habits) as modem:
        killed = open_qmi_link(modem.path, memory=memory)
        killed.open_channel((ISD_R,), deadline=soon())
        killed.modem.dialogue._port.close()
        assert modem.function.channels == {1, 2}
        link = open_qmi_link(modem.path, memory=memory)
        assert link.imei(deadline=soon()) == IMEI
        assert link.describe().channels_closed == 1
        assert modem.function.channels == {1}
        link.close()
        assert list((tmp_path / "links").glob("*.clients")) == []


def test_clients_noted_before_a_reset_are_left_alone(tmp_path: Path) -> None:
    """Clients of a note for an earlier device node are left alone, as they may be another program's now."""
    memory = LinkMemory(tmp_path / "links")
    with QmiModem(ScriptedCard(answers={GET_EID: EID}), path=tmp_path / "cdc-wdm0") as modem:
        killed = open_qmi_link(modem.path, memory=memory)
        assert get_eid(killed) == EID
        killed.modem.dialogue._port.close()
        (note,) = (tmp_path / "links").glob("*.clients")
        noted = note.read_text()
        before = str((tmp_path / "cdc-wdm0").stat().st_ino)
        assert before in noted
        note.write_text(noted.replace(f" {before}", " 999999999"))
        link = open_qmi_link(modem.path, memory=memory)
        assert get_eid(link) == EID
        link.close()
        assert set(modem.function.clients) == {(Service.DMS, 1), (Service.UIM, 1)}


def test_exhausted_clients_are_named(tmp_path: Path) -> None:
    """If the modem has no free client, the error states that only a reset of the modem helps."""
    habits = QmiBehaviour(clients=2, leaked_clients=2)
    with QmiModem(ScriptedCard(), path=tmp_path / "cdc-wdm0", behaviour=habits) as modem:
        before = set(modem.function.clients)
        link = open_qmi_link(modem.path)
        with pytest.raises(CardUnreachable, match="used up the modem's clients; reset the modem"):
            link.imei(deadline=soon())
        link.close()
        assert set(modem.function.clients) == before
        assert len(before) == 2 * 4, "two of each service"


def test_a_lost_answer_leaks_no_client(tmp_path: Path) -> None:
    """If a new client is reported too late, lpad releases it and uses the client of its second request."""
    with rig_with(str(tmp_path / "cdc-wdm0")) as (modem, link):
        modem.once(control.AllocateClient, delay=5.5)
        assert get_eid(link) == EID
        assert sorted(modem.function.clients) == [(Service.DMS, 2), (Service.UIM, 1)]


def lose_power(modem: QmiModem, link: QmiLink, *, announces: bool) -> None:
    """Reset the modem; return when its announcement, if it sends one, is at the port."""
    modem.do(lambda function: function.lose_power())
    if announces:
        assert select.select([link.fileno()], [], [], 30)[0]


@pytest.mark.parametrize("announces", [True, False])
def test_a_reset_modem_gets_new_clients(announces: bool, tmp_path: Path) -> None:  # noqa: FBT001 - of the table
    """A reset between two sessions causes no error; a reset within one ends it with a retryable error."""
    with rig_with(str(tmp_path / "cdc-wdm0"), announces_reset=announces) as (modem, link):
        assert get_eid(link) == EID
        lose_power(modem, link, announces=announces)
        assert get_eid(link) == EID
        with isdr_session(link, deadline=soon()) as isdr:
            isdr.command(GET_EID, intent=es10_intents.GET_EID, deadline=soon())
            lose_power(modem, link, announces=announces)
            with pytest.raises(CardUnreachable, match="channel was lost") as caught:
                isdr.command(GET_EID, intent=es10_intents.GET_EID, deadline=soon())
            assert caught.value.retryable
        assert get_eid(link) == EID


def test_a_reset_during_a_request_ends_it_at_once(tmp_path: Path) -> None:
    """If the modem sends Sync in place of an answer, lpad waits no longer for the answer."""
    with rig_with(str(tmp_path / "cdc-wdm0")) as (modem, link):
        get_eid(link)
        modem.once(uim.SendApdu, restarts=True, executed=False)
        with pytest.raises(CardUnreachable, match="the modem was reset; try again"):
            get_eid(link)
        assert get_eid(link) == EID


def test_a_lost_answer_ends_in_time_and_the_next_request_works(tmp_path: Path) -> None:
    """If the modem loses one transaction, lpad reports an error after the time for an APDU."""
    with rig_with(str(tmp_path / "cdc-wdm0"), quirks=QUICK) as (modem, link):
        get_eid(link)
        modem.once(uim.SendApdu, lost=True)
        with pytest.raises(CardUnreachable, match="did not answer in time"):
            get_eid(link)
        assert get_eid(link) == EID


@pytest.mark.parametrize("error", [Error.UIM_UNINITIALIZED, Error.DEVICE_NOT_READY], ids=str)
def test_a_modem_that_is_not_ready_is_asked_again(error: Error, tmp_path: Path) -> None:
    """If the modem is not ready, opening a channel is repeated; within a session, lpad advises a retry."""
    with rig_with(str(tmp_path / "cdc-wdm0")) as (modem, link):
        modem.once(uim.OpenLogicalChannel, error=error)
        assert get_eid(link) == EID
        opened = (uim.OpenLogicalChannel.SERVICE, uim.OpenLogicalChannel.MESSAGE)
        assert sent(modem).count(opened) == 2
        modem.once(uim.SendApdu, error=error)
        with pytest.raises(CardBusy, match="starting up or its SIM is in use; try again"):
            get_eid(link)


def test_a_modem_that_loses_a_transaction(tmp_path: Path) -> None:
    """Whichever answer is lost, lpad reports the loss in time, and the next attempt works.

    If the lost answer assigns a client, the modem keeps this client until it is reset.
    """
    patience = {"patience": {"apdu": 0.3, "information": 0.3}}
    for lost in (1, 2, 3, 4, 6, 7, 8, 9, 10):
        with rig_with(str(tmp_path / f"wdm{lost}"), quirks=patience, lost_transaction=lost) as (_, link):
            with suppress(CardUnreachable):
                get_eid(link)
            assert get_eid(link) == EID


def test_a_late_answer_is_no_answer_to_the_next_request(tmp_path: Path) -> None:
    """A late answer is not taken for the next request's, because answers are assigned by transaction."""
    with rig_with(str(tmp_path / "cdc-wdm0"), quirks=QUICK) as (modem, link):
        get_eid(link)
        modem.once(uim.SendApdu, delay=2.5)
        with pytest.raises(CardUnreachable, match="did not answer in time"):
            get_eid(link)
        assert get_eid(link) == EID


def test_noise_before_an_answer_is_skipped(tmp_path: Path) -> None:
    """Bytes that are not the start of a frame do not hide the answer."""
    with rig_with(str(tmp_path / "cdc-wdm0")) as (modem, link):
        modem.once(device.GetIds, before=b"\x01\xff\r\nRDY\r\n")
        assert get_eid(link) == EID


def test_a_silent_modem_is_named(tmp_path: Path) -> None:
    """If requests for a client get no answer, the error states what to check."""
    with QmiModem(ScriptedCard(), path=tmp_path / "cdc-wdm0") as modem:
        link = open_qmi_link(modem.path)
        for _ in range(4):
            modem.once(executed=False, lost=True)
        with pytest.raises(CardUnreachable, match="a QMI port and not an MBIM port"):
            link.imei(deadline=soon().within(11))
        link.close()


@pytest.mark.parametrize("other", [PtyModem, MbimModem])
def test_a_port_of_another_kind_is_named(other: type[PtyModem | MbimModem], tmp_path: Path) -> None:
    """If an AT or MBIM port has a QMI port's name, the error gives the remedy and allows a retry."""
    with other(ScriptedCard(), path=tmp_path / "wwan0qmi0") as modem:
        link = open_qmi_link(modem.path)
        with pytest.raises(CardUnreachable, match="a QMI port and not an MBIM port") as caught:
            link.imei(deadline=soon().within(2))
        assert caught.value.retryable
        link.close()


def test_a_vanished_port_is_named_and_comes_back(tmp_path: Path) -> None:
    """If the modem leaves the bus, the session ends immediately; a new link works once the modem is back."""
    with rig_with(str(tmp_path / "cdc-wdm0")) as (modem, link):
        get_eid(link)
        modem.once(uim.SendApdu, vanish=True)
        with pytest.raises(CardUnreachable, match="has disappeared"):
            get_eid(link)
        with pytest.raises(CardUnreachable, match="no such port"):
            open_qmi_link(modem.path)
        modem.come_back()
        again = open_qmi_link(modem.path)
        assert get_eid(again) == EID
        again.close()


def test_a_port_in_use_is_busy(tmp_path: Path) -> None:
    """Two direct readers of a port would get each other's answers, so the second is refused."""
    with rig_with(str(tmp_path / "cdc-wdm0")) as (modem, _), pytest.raises(CardBusy, match="holds it"):
        open_qmi_link(modem.path)


def test_a_missing_card_is_reported_with_the_slots(tmp_path: Path) -> None:
    """If the slot in use is empty, the error names the slot with the card and the setting for it."""
    with (
        rig_with(str(tmp_path / "cdc-wdm0"), slots=2, card_slot=2) as (_, link),
        pytest.raises(
            CardUnreachable,
            match=r"slot 1 \(active\) is empty, slot 2 has .*set the quirk 'sim_slot' to 2",
        ),
    ):
        get_eid(link)


def test_firmware_that_bars_the_isdr_is_named(tmp_path: Path) -> None:
    """If the firmware bars the ISD-R (SIM7600G-H, LE910C4), the error states this, and no retry helps."""
    with (
        rig_with(str(tmp_path / "cdc-wdm0"), bars_isdr=True) as (_, link),
        pytest.raises(CardUnreachable, match="firmware does not let programs select the ISD-R") as caught,
    ):
        get_eid(link)
    assert not caught.value.retryable


def test_the_family_is_named(tmp_path: Path) -> None:
    """The link's report names the entries of the modem's family, whose ladder applies only to AT ports."""
    personality = ModemPersonality(manufacturer="Telit", model="LE910C4-EU")
    card = ScriptedCard(answers={GET_EID: EID})
    with QmiModem(card, path=tmp_path / "cdc-wdm0", personality=personality) as modem:
        link = open_qmi_link(modem.path, overrides={"block_size": 100})
        assert get_eid(link) == EID
        assert link.describe().quirks[-2:] == ("Telit", "Telit LE910")
        assert link.quirks.block_size == 100
        assert link.quirks.refresh_ladder == LADDER, "the family's ladder is for AT ports"
        link.close()


def test_channels_of_a_killed_process_are_closed_if_none_is_free(tmp_path: Path) -> None:
    """Lpad closes leftover channels only if none is free: QMI does not report who opened a channel."""
    card = ScriptedCard(answers={GET_EID: EID})
    with rig_with(str(tmp_path / "cdc-wdm0"), card, leaked_channels=3) as (modem, link):
        assert get_eid(link) == EID
        assert modem.function.channels == set()
        assert link.describe().channels_closed == 3
    card = ScriptedCard(answers={GET_EID: EID})
    with rig_with(str(tmp_path / "cdc-wdm1"), card, leaked_channels=2) as (modem, link):
        assert get_eid(link) == EID
        assert len(modem.function.channels) == 2


def test_a_piece_that_never_comes_is_an_error(tmp_path: Path) -> None:
    """If the last piece of a long answer never comes, the answer counts as missing."""
    card = ScriptedCard(answers={GET_EID: bytes(300)})
    habits = {"long_response": 100, "loses_piece": True, "fetches_response": True}
    with (
        rig_with(str(tmp_path / "cdc-wdm0"), card, quirks=QUICK, **habits) as (_, link),
        pytest.raises(CardUnreachable, match="did not send all of a long answer"),
    ):
        get_eid(link)


def test_a_refresh_does_not_wait_for_lpad(tmp_path: Path) -> None:
    """The link registers for refreshes and answers them, within a session and while it is idle."""
    card = ScriptedCard(answers={GET_EID: EID}, proactive=REFRESH, status=0x910B, fci_waits=False)
    with rig_with(str(tmp_path / "cdc-wdm0"), card, refresh_patience=20.0) as (modem, link):
        resets = card.resets
        get_eid(link)
        until = soon()
        while card.resets == resets and not until.passed:
            select.select([link.fileno()], [], [], 0.1)
            link.hear(deadline=until)
        assert card.resets > resets
        assert modem.function.refreshes_unanswered == 0


def test_an_idle_link_hears_the_modem(tmp_path: Path) -> None:
    """If an idle link's card is swapped, `hear` reports no change of the connection; the link works."""
    with rig_with(str(tmp_path / "cdc-wdm0"), refresh_patience=20.0) as (modem, link):
        get_eid(link)
        assert link.fileno() > 0
        modem.do(lambda function: function.swap_card(ScriptedCard(answers={GET_EID: EID})))
        assert link.hear(deadline=soon()) is False
        assert link.reported is False
        assert get_eid(link) == EID


def test_no_channel_stays_open_after_a_refusal(tmp_path: Path) -> None:
    """If a card has no ISD-R, its channel is closed, whether the modem reports the status word or not."""
    for tells in (True, False):
        card = ScriptedCard(applications=())
        with (
            rig_with(str(tmp_path / f"cdc-wdm{tells:d}"), card, tells_status_word=tells) as (_, link),
            pytest.raises(CardStatus, match="not an eUICC"),
        ):
            link.open_channel((ISD_R,), deadline=soon())
        assert card.open == set()


def test_the_slots_are_shown_and_not_changed(tmp_path: Path) -> None:
    """If the card is in the second slot and the modem uses the first, lpad names both and changes nothing."""
    with rig_with(str(tmp_path / "cdc-wdm0"), slots=2, card_slot=2) as (modem, link):
        with pytest.raises(CardUnreachable, match="slot 2 has a card"):
            get_eid(link)
        assert link.describe().slots == ("slot 1 (active) is empty", "slot 2 has a card")
        assert (uim.SwitchSlot.SERVICE, uim.SwitchSlot.MESSAGE) not in sent(modem)


def test_the_slot_is_changed_if_the_settings_say_so(tmp_path: Path) -> None:
    """If the settings name slot 2, lpad uses the card in it; the next link need not change the slot."""
    card = ScriptedCard(answers={GET_EID: EID})
    habits = QmiBehaviour(slots=2, card_slot=2)
    with QmiModem(card, path=tmp_path / "cdc-wdm0", behaviour=habits) as modem:
        for _ in range(2):
            link = open_qmi_link(modem.path, overrides={"sim_slot": 2})
            assert get_eid(link) == EID
            assert link.describe().slots == ("slot 1 is empty", "slot 2 (active) has a card")
            link.close()
        assert sent(modem).count((uim.SwitchSlot.SERVICE, uim.SwitchSlot.MESSAGE)) == 1


def test_the_card_in_the_new_slot_is_used_once_it_has_started(tmp_path: Path) -> None:
    """If the card in the new slot starts slowly, lpad opens no channel before the card has started."""
    habits: dict[str, Any] = {"slots": 2, "card_slot": 2, "slot_start": 1.2}
    with rig_with(str(tmp_path / "cdc-wdm0"), quirks={"sim_slot": 2}, **habits) as (modem, link):
        assert get_eid(link) == EID
        assert sent(modem).count((uim.OpenLogicalChannel.SERVICE, uim.OpenLogicalChannel.MESSAGE)) == 1


@pytest.mark.parametrize("habits", [{}, {"slots": 2}, {"slot_status": False}], ids=str)
def test_a_slot_that_the_modem_lacks_is_named(habits: dict[str, Any], tmp_path: Path) -> None:
    """If the settings name a slot that the modem lacks, the error lists the slots and names the setting."""
    with (
        rig_with(str(tmp_path / "cdc-wdm0"), quirks={"sim_slot": 3}, **habits) as (modem, link),
        pytest.raises(CardUnreachable, match="sim_slot") as found,
    ):
        get_eid(link)
    assert not found.value.retryable
    assert (uim.SwitchSlot.SERVICE, uim.SwitchSlot.MESSAGE) not in sent(modem)


def test_the_slot_of_the_first_logical_one_counts() -> None:
    """A modem with two SIMs has two active slots; lpad uses the one that is its first logical slot."""
    told = tuple(
        uim.PhysicalSlot(card=uim.PhysicalCard.PRESENT, active=1, logical=logical, iccid=bytes([logical]))
        for logical in (2, 1)
    )
    assert [str(each) for each in slots_of(told)] == ["slot 1 has a card", "slot 2 (active) has a card"]
    used = used_slot(told)
    assert used is not None
    assert used.iccid == b"\x01"


def test_an_insertion_read_together_with_the_refusal_is_not_lost(tmp_path: Path) -> None:
    """A report on the card that arrives in one read with the refusal before it is kept."""
    with rig_with(str(tmp_path / "cdc-wdm0")) as (modem, link):
        assert get_eid(link) == EID
        modem.do(lambda function: function.remove_card())
        _hear_removal(link)
        dialogue: Any = link.modem.dialogue

        def refused(message: Message) -> bool:
            return message.number == Uim.OPEN_LOGICAL_CHANNEL

        present = uim.CardStatusIndication(status=uim.Cards(cards=(uim.Card(state=uim.CardState.PRESENT),)))
        started = Message(
            kind=Kind.INDICATION,
            service=Service.UIM,
            client=BROADCAST,
            transaction=0,
            number=Uim.CARD_STATUS,
            parameters=encode_parameters(present),
        )
        dialogue._port = OneRead(dialogue._port, Receiver(), after=refused, extra=encode(started))
        with pytest.raises(CardUnreachable):
            get_eid(link)
        assert link.take_card_report() is CardReport.STARTED
        assert link.take_card_report() == NO_CARD_REPORT


def _hear_removal(link: QmiLink) -> None:
    """Wait until the modem has reported that the slot is empty, which it may do after its next answer."""
    deadline = soon()
    while CardReport.GONE not in link.card_report:
        assert select.select([link.fileno()], [], [], deadline.remaining())[0], link.card_report
        link.hear(deadline=deadline)
