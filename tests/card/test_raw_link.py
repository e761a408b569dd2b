"""The link contract for a raw link, directly to a scripted card, without a modem in between."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from card.link_contract import GET_EID, LinkContract, Rig, soon
from card.scripted_card import BenchDevice, ScriptedCard
from lpad.base.errors import CardBusy, CardMalformed, CardUnreachable, InternalError
from lpad.base.identifiers import ISD_R
from lpad.card.channel.logical_channel import TERMINAL_CAPABILITY, RawLink
from lpad.card.isdr.isdr import Isdr, isdr_session
from lpad.card.port.link_refused import LinkRefused
from lpad.protocol.apdu import Apdu, Command

if TYPE_CHECKING:
    from lpad.base.deadline import Deadline


class Slot(ScriptedCard):
    """A card slot that observes deadlines and refuses the commands that a test lists."""

    longest: int | None = None
    refuse_after: int | None = None

    def transmit(self, apdu: bytes, *, deadline: Deadline | None = None) -> bytes:
        if deadline is not None and deadline.passed:
            raise CardUnreachable("no time left")
        if self.longest is not None and len(apdu) > self.longest:
            raise LinkRefused("ERROR")
        if self.refuse_after is not None and apdu[1] in (0xE2, 0xC0):
            if self.refuse_after == 0:
                raise LinkRefused("ERROR")
            self.refuse_after -= 1
        return super().transmit(apdu, deadline=deadline)


@pytest.fixture
def slot() -> Slot:
    return Slot()


class TestRawLink(LinkContract):
    """The link contract for a raw link, directly to the scripted card."""

    @pytest.fixture
    def rig(self, slot: Slot) -> Rig:
        return Rig(RawLink(slot, device=BenchDevice()), slot)


class TestRawLinkDataAtOnce(LinkContract):
    """The link contract for a card that returns FCI immediately and requires TERMINAL CAPABILITY."""

    @pytest.fixture
    def rig(self, slot: Slot) -> Rig:
        slot.fci_waits = False
        return Rig(RawLink(slot, device=BenchDevice(), terminal_capability=TERMINAL_CAPABILITY), slot)


def store_data_sizes(slot: Slot) -> list[int]:
    return [len(command.data) for command in slot.sent if command.ins == 0xE2]


def test_terminal_capability_goes_first_and_its_refusal_does_no_harm(slot: Slot) -> None:
    """Cards that require TERMINAL CAPABILITY get it before the channel; 6D00 to it is ignored."""
    link = RawLink(slot, device=BenchDevice(), terminal_capability=TERMINAL_CAPABILITY)
    with isdr_session(link, deadline=soon()):
        assert bytes(slot.sent[0]).hex() == "80aa00000aa9088100820101830107"


def test_no_apdu_is_sent_that_is_not_needed(slot: Slot) -> None:
    """A session with one short command needs four APDUs: open, SELECT, STORE DATA, close."""
    link = RawLink(slot, device=BenchDevice())
    with isdr_session(link, deadline=soon()) as isdr:
        isdr.command(GET_EID, deadline=soon())
    assert [command.ins for command in slot.sent] == [0x70, 0xA4, 0xE2, 0x70]


def test_blocks_shrink_if_the_link_refuses_the_first(slot: Slot) -> None:
    """A link that refuses 255-byte blocks gets 120-byte or 63-byte blocks from then on."""
    slot.longest = 5 + 63
    with isdr_session(RawLink(slot, device=BenchDevice()), deadline=soon()) as isdr:
        isdr.command(bytes(300), deadline=soon())
        assert isdr.block_size == 63
        isdr.command(bytes(100), deadline=soon())
    assert slot.commands == [bytes(300), bytes(100)]
    assert store_data_sizes(slot) == [63, 63, 63, 63, 48, 63, 37]


def test_a_refusal_inside_a_chain_is_final(slot: Slot) -> None:
    """A refusal in the middle of a command ends the command; an APDU inside a chain is never sent again."""
    slot.refuse_after = 1
    link = RawLink(slot, device=BenchDevice())
    with isdr_session(link, deadline=soon()) as isdr, pytest.raises(LinkRefused):
        isdr.command(bytes(600), deadline=soon())
    assert store_data_sizes(slot) == [255]


def test_a_refusal_of_a_size_that_was_carried_before_is_final(slot: Slot) -> None:
    """If a link has carried 255 bytes, a refusal of that size has another cause and is final."""
    link = RawLink(slot, device=BenchDevice())
    with isdr_session(link, deadline=soon()) as isdr:
        isdr.command(bytes(255), deadline=soon())
        slot.refuse_after = 0
        with pytest.raises(LinkRefused):
            isdr.command(bytes(255), deadline=soon())
        assert isdr.block_size == 255


@pytest.mark.parametrize("status", [0x6D00, 0x6E00])
def test_a_channel_that_became_anothers_is_left_alone(slot: Slot, status: int) -> None:
    """After a restart of the card, lpad leaves its former channel open, which may now be the modem's."""
    with isdr_session(RawLink(slot, device=BenchDevice()), deadline=soon()) as isdr:
        isdr.command(GET_EID, deadline=soon())
        (number,) = slot.open
        slot.selected[number] = b"USIM"
        slot.unknown_instruction = status
        with pytest.raises(CardUnreachable, match="the card restarted"):
            isdr.command(GET_EID, deadline=soon())
    assert slot.open == {number}


def test_a_refused_get_response_is_not_a_reason_to_repeat(slot: Slot) -> None:
    """If the link refuses GET RESPONSE, lpad does not repeat the command that the card has already seen."""
    slot.answers[bytes(200)] = bytes(300)
    slot.portion = 256
    slot.refuse_after = 1
    link = RawLink(slot, device=BenchDevice())
    with isdr_session(link, deadline=soon()) as isdr:
        with pytest.raises(CardUnreachable) as caught:
            isdr.command(bytes(200), deadline=soon())
        assert not isinstance(caught.value, LinkRefused)
    assert store_data_sizes(slot) == [200]


def test_an_early_answer_ends_the_command(slot: Slot) -> None:
    """If the card answers before the last block, the command is complete, and lpad sends no further block."""

    class Early:
        aid = ISD_R

        def transmit(self, apdu: bytes, *, deadline: Deadline) -> bytes:
            slot.sent.append(slot.sent[0])
            return b"\xbf\x37\x00\x90\x00"

        def close(self, *, deadline: Deadline) -> None:
            raise InternalError("not its business")

    slot.transmit(bytes.fromhex("0070000001"))
    assert Isdr(Early()).command(bytes(600), deadline=soon()) == b"\xbf\x37\x00"
    assert len(slot.sent) == 2


def test_a_channel_number_out_of_range_is_malformed(slot: Slot) -> None:
    """If a card opens channel 0 or 20, its answer counts as malformed."""
    slot.free_channels[:] = [20]
    with pytest.raises(CardMalformed, match="1 to 19"):
        RawLink(slot, device=BenchDevice()).open_channel((ISD_R,), deadline=soon())


def test_an_error_while_closing_does_not_hide_the_first(slot: Slot) -> None:
    """The cause of a failed session is reported, even if closing its channel fails too."""

    class Gone(Slot):
        def transmit(self, apdu: bytes, *, deadline: Deadline | None = None) -> bytes:
            if apdu[1:3] == b"\x70\x80":
                raise CardUnreachable("gone")
            return super().transmit(apdu, deadline=deadline)

    link = RawLink(Gone(), device=BenchDevice())
    with pytest.raises(CardBusy), isdr_session(link, deadline=soon()):
        raise CardBusy("first")
    with isdr_session(link, deadline=soon()):
        pass


def test_a_closed_channel_is_not_used(slot: Slot) -> None:
    """Using a channel after it was closed is an internal error."""
    channel = RawLink(slot, device=BenchDevice()).open_channel((ISD_R,), deadline=soon())
    channel.close(deadline=soon())
    with pytest.raises(InternalError):
        channel.transmit(Apdu(Command(0, 0xC0, le=256)), deadline=soon())


def test_closing_the_link_closes_the_device(slot: Slot) -> None:
    """When a link is closed, its device is closed."""
    device = BenchDevice()
    RawLink(slot, device=device).close()
    assert device.closed == 1


def test_select_is_repeated_with_the_length_that_the_card_asks_for() -> None:
    """If a card answers SELECT with 6Cxx, lpad repeats SELECT with that Le."""

    class Exact(Slot):
        def transmit(self, apdu: bytes, *, deadline: Deadline | None = None) -> bytes:
            if apdu[1] == 0xA4 and len(apdu) == 21:
                return b"\x6c\x21"
            return super().transmit(apdu, deadline=deadline)

    exact = Exact()
    with isdr_session(RawLink(exact, device=BenchDevice()), deadline=soon()):
        assert [command.le for command in exact.sent if command.ins == 0xA4] == [0x21]
