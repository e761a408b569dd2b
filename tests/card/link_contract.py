"""The contract for every kind of link; subclass `LinkContract` and give it a `rig`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from card.scripted_card import IMEI, ScriptedCard
from lpad.base.deadline import Deadline
from lpad.base.errors import CardError, CardMalformed, CardStatus, CardUnreachable, InvalidValue
from lpad.base.identifiers import ISD_R, Aid
from lpad.card.isdr.isdr import isdr_session
from lpad.codec import es10_intents

if TYPE_CHECKING:
    from lpad.card.link.link import Link

GET_EID = bytes.fromhex("BF3E035C015A")
EID = bytes.fromhex("BF3E125A1089049032000000000000000000000000")
OTHER_ISD_R = Aid(bytes.fromhex("A0000005591010FFFFFFFF8900050500"))


@dataclass
class Rig:
    """A link, and the card at its end."""

    link: Link
    card: ScriptedCard
    tells_why: bool = True
    """Whether the link's errors distinguish a card without a free channel from one without an ISD-R."""

    @property
    def block_size(self) -> int:
        return self.link.block_size


def soon() -> Deadline:
    """Return a deadline that suffices for successful calls, even on a busy machine."""
    return Deadline.after(30)


class LinkContract:
    """The contract of links; a subclass provides the link to test with its fixture `rig`."""

    @pytest.fixture
    def rig(self) -> Rig:
        raise NotImplementedError

    def command(self, rig: Rig, data: bytes, *, block_size: int = 255) -> bytes:
        """Send one ES10 command in its own session; return the card's answer."""
        with isdr_session(rig.link, block_size=block_size, deadline=soon()) as isdr:
            return isdr.command(
                data,
                intent=es10_intents.GET_EID if data == GET_EID else es10_intents.UNSTATED,
                deadline=soon(),
            )

    def test_carries_a_command_and_its_answer(self, rig: Rig) -> None:
        """An ES10 command reaches the card unchanged, and its answer reaches the caller unchanged."""
        rig.card.answers[GET_EID] = EID
        assert self.command(rig, GET_EID) == EID
        assert rig.card.commands == [GET_EID]

    def test_closes_the_channel(self, rig: Rig) -> None:
        """After a session its channel is closed, so each of many sessions finds a free one."""
        for _ in range(5):
            self.command(rig, GET_EID)
        assert rig.card.open == set()

    def test_closes_the_channel_when_an_exception_flies(self, rig: Rig) -> None:
        """Whatever ends a session, even Ctrl-C, the channel is closed."""
        with pytest.raises(KeyboardInterrupt), isdr_session(rig.link, deadline=soon()):
            raise KeyboardInterrupt
        assert rig.card.open == set()

    def test_closes_the_channel_when_select_fails(self, rig: Rig) -> None:
        """A card without an ISD-R is reported as such, and the opened channel is closed."""
        rig.card.applications = ()
        with pytest.raises(CardError) as caught:
            self.command(rig, GET_EID)
        if rig.tells_why:
            assert isinstance(caught.value, CardStatus)
            assert "not an eUICC" in caught.value.sentence
            assert caught.value.details["sw"] == "6A82"
        assert rig.card.open == set()

    def test_selects_the_first_isdr_that_the_card_knows(self, rig: Rig) -> None:
        """Of several AIDs for the ISD-R, the first that the card knows is used and reported."""
        rig.card.applications = (bytes(OTHER_ISD_R),)
        with isdr_session(rig.link, aids=(ISD_R, OTHER_ISD_R), deadline=soon()) as isdr:
            assert isdr.aid == OTHER_ISD_R
        assert rig.card.open == set()

    def test_says_when_no_channel_is_free(self, rig: Rig) -> None:
        """If all channels of the card are taken, the error gives the remedy."""
        rig.card.taken.update(rig.card.free_channels)
        rig.card.free_channels.clear()
        if not rig.tells_why:
            with pytest.raises(CardError):
                self.command(rig, GET_EID)
            return
        with pytest.raises(CardStatus, match="stop other programs, or reset the modem") as caught:
            self.command(rig, GET_EID)
        assert caught.value.details["sw"] == "6A81"

    @pytest.mark.parametrize("number", [1, 3, 4, 5, 19])
    def test_uses_any_channel(self, rig: Rig, number: int) -> None:
        """Channels 4 to 19 have class bytes of another form (ISO/IEC 7816-4, 5.4.1), and work as well."""
        rig.card.free_channels[:] = [number]
        rig.card.answers[GET_EID] = EID
        assert self.command(rig, GET_EID) == EID
        assert rig.card.open == set()

    @pytest.mark.parametrize(("size", "blocks"), [(1, 1), (255, 1), (256, 2), (510, 2), (511, 3)])
    def test_cuts_commands_into_blocks(self, rig: Rig, size: int, blocks: int) -> None:
        """P1 is 91 in the last block and 11 in the others; P2 counts from 00 (SGP.22 v2.5, 5.7.2)."""
        data = bytes(index & 0xFF for index in range(size))
        self.command(rig, data)
        sent = [command for command in rig.card.sent if command.ins == 0xE2]
        blocks = -(-size // rig.block_size) if rig.block_size < 255 else blocks
        assert [command.p1 for command in sent] == [0x11] * (blocks - 1) + [0x91]
        assert [command.p2 for command in sent] == list(range(blocks))
        assert rig.card.commands == [data]

    def test_counts_blocks_anew_for_every_command(self, rig: Rig) -> None:
        """P2 restarts at 00 with every command and every segment of a profile package."""
        with isdr_session(rig.link, block_size=63, deadline=soon()) as isdr:
            for data in (bytes(100), bytes(200), bytes(10)):
                isdr.command(data, deadline=soon())
        assert rig.card.commands == [bytes(100), bytes(200), bytes(10)]

    def test_tells_how_far_a_command_has_got(self, rig: Rig) -> None:
        """After each block, `on_block` gets the number of bytes that the card has received."""
        heard: list[int] = []
        with isdr_session(rig.link, block_size=60, deadline=soon()) as isdr:
            isdr.command(bytes(150), deadline=soon(), on_block=heard.append)
        assert heard == [60, 120, 150]

    @pytest.mark.parametrize("portion", [1, 255, 256])
    def test_collects_an_answer_in_portions(self, rig: Rig, portion: int) -> None:
        """After 61xx, lpad sends GET RESPONSE until the answer is complete; 6100 means 256 bytes."""
        rig.card.portion = portion
        rig.card.answers[GET_EID] = bytes(index & 0xFF for index in range(40 if portion == 1 else 1000))
        assert self.command(rig, GET_EID) == rig.card.answers[GET_EID]

    def test_repeats_with_the_length_that_the_card_asks_for(self, rig: Rig) -> None:
        """If the card answers 6Cxx to the last block, lpad repeats this block with Le xx."""
        rig.card.asks_for_length = True
        rig.card.answers[GET_EID] = EID
        assert self.command(rig, GET_EID) == EID

    def test_never_repeats_a_block_inside_a_chain(self, rig: Rig) -> None:
        """The card has already counted the block, so 6Cxx inside a chain is an error."""
        rig.card.chain_status = 0x6C10
        with pytest.raises(CardStatus, match="6C10"):
            self.command(rig, bytes(600))
        assert len([command for command in rig.card.sent if command.ins == 0xE2]) == 1

    def test_takes_a_pending_proactive_command_for_success(self, rig: Rig) -> None:
        """Status word 91xx means success, with a REFRESH to follow."""
        rig.card.status = 0x910B
        rig.card.answers[GET_EID] = EID
        assert self.command(rig, GET_EID) == EID

    def test_gives_up_on_an_answer_without_end(self, rig: Rig) -> None:
        """A card that promises data without end is reported as malformed."""
        rig.card.endless = True
        rig.card.answers[GET_EID] = EID
        with pytest.raises(CardMalformed, match="returns none"):
            self.command(rig, GET_EID)
        assert rig.card.open == set()

    @pytest.mark.parametrize("status", [0x6985, 0x6A80, 0x6A88, 0x6F00, 0x6999])
    def test_tells_a_refusal_with_its_status_word(self, rig: Rig, status: int) -> None:
        """A status word that refuses a command is an error whose details contain it."""
        rig.card.status = status
        with pytest.raises(CardStatus) as caught:
            self.command(rig, GET_EID)
        assert caught.value.details["sw"] == f"{status:04X}"
        assert rig.card.open == set()

    def test_refuses_a_command_too_long_before_sending_any(self, rig: Rig) -> None:
        """P2 can count 256 blocks; a command that needs more is refused before anything is sent."""
        with pytest.raises(InvalidValue, match="block size"):
            self.command(rig, bytes(63 * 256 + 1), block_size=63)
        assert all(command.ins != 0xE2 for command in rig.card.sent)

    def test_survives_a_card_reset_under_the_session(self, rig: Rig) -> None:
        """If the card is reset at a session's end, the channel still closes, and the next session works."""
        rig.card.answers[GET_EID] = EID
        with isdr_session(rig.link, deadline=soon()) as isdr:
            assert isdr.command(GET_EID, intent=es10_intents.GET_EID, deadline=soon()) == EID
            rig.card.reset()
        assert self.command(rig, GET_EID) == EID

    @pytest.mark.parametrize("blocks", [1, 2], ids=["between commands", "inside a command"])
    def test_tells_a_card_that_was_started_anew(self, rig: Rig, blocks: int) -> None:
        """If a channel that was in use is gone, the card has restarted; the error allows another attempt."""

        def restart(_sent: int) -> None:
            rig.card.reset()

        with isdr_session(rig.link, block_size=60, deadline=soon()) as isdr:
            isdr.command(
                GET_EID,
                intent=es10_intents.GET_EID,
                deadline=soon(),
                on_block=restart if blocks == 1 else None,
            )
            with pytest.raises(CardUnreachable, match="the card restarted") as caught:
                isdr.command(bytes(100), deadline=soon(), on_block=restart)
            assert caught.value.retryable
        rig.card.answers[GET_EID] = EID
        assert self.command(rig, GET_EID) == EID

    @pytest.mark.parametrize("status", [0x6D00, 0x6E00])
    def test_takes_an_unknown_function_for_what_it_is(self, rig: Rig, status: int) -> None:
        """If the ISD-R refuses a function with 6D00 or 6E00, the error contains this status word."""
        rig.card.answers[GET_EID] = EID
        rig.card.refusals[bytes(10)] = status
        with isdr_session(rig.link, deadline=soon()) as isdr:
            isdr.command(GET_EID, intent=es10_intents.GET_EID, deadline=soon())
            with pytest.raises(CardStatus, match=f"{status:04X}"):
                isdr.command(bytes(10), deadline=soon())
        assert rig.card.open == set()

    def test_sends_nothing_after_the_deadline(self, rig: Rig) -> None:
        """After the deadline no APDU is sent."""
        with isdr_session(rig.link, deadline=soon()) as isdr:
            before = len(rig.card.sent)
            with pytest.raises(CardUnreachable):
                isdr.command(GET_EID, intent=es10_intents.GET_EID, deadline=Deadline.after(0))
            assert len(rig.card.sent) == before

    def test_closing_a_channel_twice_does_nothing(self, rig: Rig) -> None:
        """Closing a channel a second time sends no APDU."""
        channel = rig.link.open_channel((ISD_R,), deadline=soon())
        channel.close(deadline=soon())
        before = len(rig.card.sent)
        channel.close(deadline=soon())
        assert len(rig.card.sent) == before

    def test_tells_the_imei(self, rig: Rig) -> None:
        """The link returns the IMEI of the device."""
        assert rig.link.imei(deadline=soon()) == IMEI

    def test_closing_the_link_twice_does_nothing(self, rig: Rig) -> None:
        """Closing a link twice is allowed."""
        rig.link.close()
        rig.link.close()
