"""Cards whose ISD-R is on the basic channel only, in a reader and in a modem."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from card.link_contract import soon
from lpa.bench import Contacts
from lpad.base.errors import CardStatus
from lpad.base.identifiers import ISD_R, Aid
from lpad.card.at.at_link import open_at_link
from lpad.card.channel.abandoned_channels import GET_EID
from lpad.card.channel.logical_channel import RawLink
from lpad.card.isdr.isdr import isdr_session
from lpad.simulator.euicc.card import SoftCard
from lpad.simulator.euicc.chip.behaviour import CardBehaviour
from lpad.simulator.modem.pty_modem import PtyModem

if TYPE_CHECKING:
    from pathlib import Path

    from lpad.base.deadline import Deadline
    from lpad.simulator.pki.pki import Pki

EID_COMMAND = GET_EID.data
FIVE_BER = "A0000005591010FFFFFFFF8900050500"


class _UsimOnChannelOne(Contacts):
    """A card that answers on channel 1 like an application other than an ISD-R."""

    def transmit(self, apdu: bytes, *, deadline: Deadline) -> bytes:
        if apdu[0] & 0x03 == 1:
            return b"\x6d\x00"
        return super().transmit(apdu, deadline=deadline)


def eid_of(link: RawLink, *aids: Aid) -> bytes:
    with isdr_session(link, aids=aids or (ISD_R,), deadline=soon()) as isdr:
        return isdr.command(EID_COMMAND, deadline=soon())


def test_the_basic_channel_serves_if_no_other_does(tmp_path: Path, pki: Pki) -> None:
    """In a reader, lpad selects the ISD-R on the basic channel if no other works (NekokoLPA2#31)."""
    behaviour = CardBehaviour(isdr_on_logical_channels=False)
    with SoftCard(tmp_path / "card", pki=pki, behaviour=behaviour) as card:
        contacts = Contacts(card)
        link = RawLink(contacts, device=contacts)
        for _ in range(2):
            assert eid_of(link)[:2] == b"\xbf\x3e"
            assert card.open_channels == ()
            assert card.transmit(bytes(GET_EID)) == b"\x6d\x00", "the ISD-R is not selected for others"
        opened = [apdu for apdu in contacts.apdus if apdu[1] == 0x70 and apdu[2] == 0]
        assert len(opened) == 1, "the second session knows"


def test_a_card_that_has_no_other_channel(tmp_path: Path, pki: Pki) -> None:
    """If a card in a reader has no logical channels (6A81), lpad uses the basic channel."""
    with SoftCard(tmp_path / "card", pki=pki, behaviour=CardBehaviour(channels=0)) as card:
        contacts = Contacts(card)
        link = RawLink(contacts, device=contacts)
        for _ in range(2):
            assert eid_of(link)[:2] == b"\xbf\x3e"
        assert len([apdu for apdu in contacts.apdus if apdu[1] == 0x70 and apdu[2] == 0]) == 1


def test_if_others_have_all_channels_the_basic_one_is_left_alone(tmp_path: Path, pki: Pki) -> None:
    """If another program has a channel open, it may also use the basic channel, so 6A81 is final."""
    with SoftCard(tmp_path / "card", pki=pki, behaviour=CardBehaviour(channels=1)) as card:
        contacts = _UsimOnChannelOne(card)
        assert card.transmit(bytes.fromhex("0070000001")) == bytes.fromhex("019000")
        with pytest.raises(CardStatus, match="6A81"):
            eid_of(RawLink(contacts, device=contacts))
        assert not [apdu for apdu in contacts.apdus if apdu[:2] == b"\x00\xa4"]


def test_the_basic_channel_of_a_modem_is_the_modems(tmp_path: Path, pki: Pki) -> None:
    """In a modem lpad selects nothing on the basic channel, because the modem's SIM application is there."""
    behaviour = CardBehaviour(isdr_on_logical_channels=False)
    with (
        SoftCard(tmp_path / "card", pki=pki, behaviour=behaviour) as card,
        PtyModem(card) as modem,
    ):
        link = open_at_link(modem.path)
        with pytest.raises(CardStatus, match="6881"), isdr_session(link, deadline=soon()):
            pass
        link.close()
        assert not [line for line in modem.received if '"00A4' in line]
        assert card.open_channels == ()


@pytest.mark.parametrize("status", ["6999", "6A86", "6985", "6283", "6A82", "6D00", "6700"])
def test_whatever_the_first_name_is_refused_with_the_next_is_tried(
    tmp_path: Path, pki: Pki, status: str
) -> None:
    """If the standard AID is refused, lpad tries the next; without one, the error has the status word."""
    behaviour = CardBehaviour(isdr_aid=FIVE_BER, select_refusals={str(ISD_R): status})
    with SoftCard(tmp_path / "card", pki=pki, behaviour=behaviour) as card:
        contacts = Contacts(card)
        link = RawLink(contacts, device=contacts)
        assert eid_of(link, ISD_R, Aid.parse(FIVE_BER))[:2] == b"\xbf\x3e"
        with pytest.raises(CardStatus) as caught:
            eid_of(link, ISD_R)
        assert caught.value.details["sw"] == status
        assert card.open_channels == ()


@pytest.mark.parametrize("status", ["6999", "6283"])
def test_a_modem_searches_on_after_an_odd_refusal(tmp_path: Path, pki: Pki, status: str) -> None:
    """The search for a link tries the other AIDs too, whatever status word refused the first."""
    behaviour = CardBehaviour(isdr_aid=FIVE_BER, select_refusals={str(ISD_R): status})
    with SoftCard(tmp_path / "card", pki=pki, behaviour=behaviour) as card, PtyModem(card) as modem:
        link = open_at_link(modem.path)
        aids = (ISD_R, Aid.parse(FIVE_BER))
        with isdr_session(link, aids=aids, deadline=soon()) as isdr:
            assert str(isdr.aid) == FIVE_BER
        link.close()


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("6D00", "does not recognize ES10"),
        ("6E00", "does not recognize ES10"),
        ("6985", "refuses the first ES10"),
        ("6A88", "refuses the first ES10"),
    ],
)
def test_an_m2m_euicc_is_reported_as_such(tmp_path: Path, pki: Pki, status: str, words: str) -> None:
    """If an ISD-R refuses ES10, the error names M2M eUICCs as a cause (SGP.02; lpac#212, EasyLPAC#34)."""
    with SoftCard(tmp_path / "card", pki=pki, behaviour=CardBehaviour(es10_status=status)) as card:
        contacts = Contacts(card)
        with pytest.raises(CardStatus, match=words) as caught:
            eid_of(RawLink(contacts, device=contacts))
        assert "M2M eUICC (SGP.02)" in caught.value.sentence
        assert caught.value.details == {"sw": status, "es10": False}
        with PtyModem(card) as modem:
            link = open_at_link(modem.path)
            with (
                pytest.raises(CardStatus, match="M2M eUICC") as through_modem,
                isdr_session(link, deadline=soon()),
            ):
                pass
            link.close()
        assert through_modem.value.details["es10"] is False
        assert card.open_channels == ()
