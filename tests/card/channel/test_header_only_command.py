"""Closing a channel over links that accept only commands of five bytes, or only of four."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from card.link_contract import soon
from card.scripted_card import BenchDevice, ScriptedCard
from lpad.base.errors import CardUnreachable
from lpad.base.identifiers import ISD_R
from lpad.card.at.at_link import open_at_link
from lpad.card.channel.header_only_command import BareHeader
from lpad.card.channel.logical_channel import RawLink
from lpad.card.isdr.isdr import isdr_session
from lpad.card.port.link_refused import LinkRefused
from lpad.protocol.apdu import Apdu, Command
from lpad.simulator.modem.personality import ModemPersonality
from lpad.simulator.modem.pty_modem import PtyModem

if TYPE_CHECKING:
    from lpad.base.deadline import Deadline

CLOSE = Apdu(Command(0, 0x70, 0x80, 1))


class Picky(ScriptedCard):
    """A card that reports some command lengths as wrong, or whose link refuses some."""

    refused: tuple[int, ...] = ()
    wrong: tuple[int, ...] = ()
    seen: list[str]

    def transmit(self, apdu: bytes, *, deadline: Deadline | None = None) -> bytes:
        self.seen = [*getattr(self, "seen", []), apdu.hex()]
        if apdu[1] == 0x70 and apdu[2] == 0x80:
            if len(apdu) in self.refused:
                raise LinkRefused("ERROR", modem_error="ERROR")
            if len(apdu) in self.wrong:
                return b"\x67\x00"
        return super().transmit(apdu, deadline=deadline)


def closings(card: Picky) -> list[str]:
    return [apdu for apdu in card.seen if apdu.startswith("007080")]


@pytest.mark.parametrize("how", ["refused", "wrong"])
def test_four_bytes_where_five_are_too_many(how: str) -> None:
    """After a link has refused a header with P3, lpad sends headers without P3, even in later sessions."""
    card = Picky()
    setattr(card, how, (5,))
    link = RawLink(BareHeader(card), device=BenchDevice())
    for _ in range(3):
        with isdr_session(link, deadline=soon()):
            pass
        assert card.open == set()
    assert closings(card) == ["0070800100", "00708001", "00708002", "00708003"]


def test_if_both_forms_are_refused_the_first_reason_is_reported() -> None:
    """If a link refuses both forms, the error gives the reason for the first refusal."""
    card = Picky()
    card.refused = (4, 5)
    with pytest.raises(LinkRefused):
        BareHeader(card).transmit(CLOSE, deadline=soon())


def test_a_port_that_goes_is_not_a_refusal() -> None:
    """If the link is gone, lpad does not send the command again in the other form."""

    class Gone(ScriptedCard):
        def transmit(self, apdu: bytes, *, deadline: Deadline | None = None) -> bytes:
            super().transmit(apdu, deadline=deadline)
            raise CardUnreachable("gone")

    card = Gone()
    with pytest.raises(CardUnreachable):
        BareHeader(card).transmit(CLOSE, deadline=soon())
    assert len(card.sent) == 1


@pytest.mark.parametrize("refusal", [3, 50, 100, None])
def test_modems_that_take_ten_characters_at_least(refusal: int | None) -> None:
    """To a modem that refuses AT+CSIM with 8 characters, lpad sends 10, and no channel stays open."""
    card = ScriptedCard()
    habits = ModemPersonality(csim_least=10, csim_refusal=refusal)
    with PtyModem(card, personality=habits) as modem:
        link = open_at_link(modem.path)
        for _ in range(5):
            with isdr_session(link, deadline=soon()):
                pass
        link.close()
        assert card.open == set()
        assert 'AT+CSIM=10,"0070800100"' in modem.received
        assert not [line for line in modem.received if line.startswith("AT+CSIM=8,")]


def test_a_channel_that_cannot_be_closed_at_all_is_used_again() -> None:
    """If a link refuses to close channels, one channel stays open, and later sessions use it again."""
    card = Picky()
    card.refused = (4, 5)
    link = RawLink(BareHeader(card), device=BenchDevice(), basic_channel=False)
    for _ in range(5):
        with isdr_session(link, deadline=soon()) as isdr:
            isdr.command(bytes.fromhex("BF3E035C015A"), deadline=soon())
    assert card.open == {1}


def test_a_kept_channel_that_became_anothers_is_left_alone() -> None:
    """If the card has restarted, a kept channel is not closed, because its number may be the modem's own."""
    card = Picky()
    card.refused = (4, 5)
    link = RawLink(BareHeader(card), device=BenchDevice(), basic_channel=False)
    with isdr_session(link, deadline=soon()):
        pass
    card.reset()
    card.free_channels = [2, 3]
    card.open.add(1)
    card.selected[1] = b"USIM"
    channel = link.open_channel((ISD_R,), deadline=soon())
    assert channel.handle == "2"
    assert card.selected[1] == b"USIM"
