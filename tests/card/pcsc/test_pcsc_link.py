"""The contract of links on PC/SC: real pyscard, real pcscd, virtual readers."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from card.link_contract import EID, GET_EID, LinkContract, Rig, soon
from card.private_pcscd import (
    ATR_T0,
    ATR_T1,
    FIRST,
    SECOND,
    BlockCard,
    PrivatePcscd,
    Slot,
    wait_for_cards,
)
from card.scripted_card import ScriptedCard
from lpad.base.identifiers import ISD_R, Aid
from lpad.card.isdr.isdr import isdr_session
from lpad.card.link.isdr_aids import ESTK_SE0, isdr_aids
from lpad.card.link.remembered_links import LinkMemory
from lpad.card.pcsc.card import PcscCard
from lpad.card.pcsc.pcsc_link import PcscLink, open_pcsc_link
from lpad.protocol.proactive import REFRESH_ONLY
from lpad.simulator.virtual_reader import VirtualReaderCard

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass
class Readers:
    """Two readers with a card in each."""

    first: Slot
    second: Slot


@pytest.fixture(scope="module")
def readers() -> Iterator[Readers]:
    """Yield one pcscd's slots with two cards, for all tests, as pcscd needs half a second to see a card."""
    slots = Readers(Slot(), Slot())
    with (
        PrivatePcscd() as pcscd,
        VirtualReaderCard(slots.first, port=pcscd.port),
        VirtualReaderCard(slots.second, port=pcscd.port + 1),
    ):
        wait_for_cards(present={FIRST, SECOND})
        yield slots


def put_in(slot: Slot, reader: str, card: ScriptedCard, atr: bytes = ATR_T0) -> None:
    """Put another card into a slot; the card gets power at its first use."""
    slot.card, slot.atr = card, atr
    before = PcscCard(reader)
    before.begin(deadline=soon())
    before.end()
    before.close()
    card.sent.clear()
    card.resets = 0


@pytest.mark.parametrize("shared", [False, True], ids=["alone", "shared"])
@pytest.mark.parametrize(("atr", "kind"), [(ATR_T0, ScriptedCard), (ATR_T1, BlockCard)], ids=["T0", "T1"])
class TestPcscLink(LinkContract):
    """The contract of links, for both protocols, with exclusive and with shared use of the reader."""

    @pytest.fixture
    def rig(
        self,
        readers: Readers,
        shared: bool,  # noqa: FBT001 - from parametrize
        atr: bytes,
        kind: type[ScriptedCard],
    ) -> Iterator[Rig]:
        card = kind()
        put_in(readers.first, FIRST, card, atr)
        link = open_pcsc_link(FIRST, shared=shared, deadline=soon())
        try:
            yield Rig(link, card)
        finally:
            link.close()

    def test_tells_the_imei(self, rig: Rig) -> None:
        """A link to a reader returns no IMEI, and does not ask the card."""
        before = len(rig.card.sent)
        assert rig.link.imei(deadline=soon()) is None
        assert len(rig.card.sent) == before


@pytest.fixture
def card(readers: Readers) -> ScriptedCard:
    """Put a standard card into the first reader; return the card."""
    made = ScriptedCard()
    put_in(readers.first, FIRST, made)
    return made


@pytest.fixture
def link(card: ScriptedCard) -> Iterator[PcscLink]:
    """Yield a link with exclusive use of the reader."""
    opened = open_pcsc_link(FIRST, deadline=soon())
    yield opened
    opened.close()


def test_terminal_capability_goes_first(link: PcscLink, card: ScriptedCard) -> None:
    """In a reader, TERMINAL CAPABILITY precedes the first channel; a card may answer it with 6D00."""
    with isdr_session(link, deadline=soon()):
        assert [command.ins for command in card.sent] == [0xAA, 0x70, 0xA4]
    assert bytes(card.sent[0]).hex() == "80aa00000aa9088100820101830107"


def test_headers_have_five_bytes_on_t0(link: PcscLink, card: ScriptedCard) -> None:
    """T=0 knows no command of four bytes: closing a channel has the length 00 (ISO/IEC 7816-3, 12.2.2)."""
    with isdr_session(link, deadline=soon()):
        pass
    assert bytes(card.sent[-1]).hex() == "0070800100"


def test_two_cards_at_the_same_time(readers: Readers, card: ScriptedCard) -> None:
    """Two readers work in parallel, each with its own thread; neither gets the other card's answers."""
    other = ScriptedCard()
    put_in(readers.second, SECOND, other)
    wrong: list[bytes] = []
    meeting = threading.Barrier(2)

    def work(reader: str, mine: ScriptedCard, mark: bytes) -> None:
        mine.answers[GET_EID] = mark * 300
        mine.portion = 100
        link = open_pcsc_link(reader, deadline=soon())
        meeting.wait(30)
        for _ in range(20):
            with isdr_session(link, deadline=soon()) as isdr:
                answer = isdr.command(GET_EID, deadline=soon())
                if answer != mark * 300:
                    wrong.append(answer)
        link.close()

    threads = [
        threading.Thread(target=work, args=(FIRST, card, b"1")),
        threading.Thread(target=work, args=(SECOND, other, b"2")),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert wrong == []
    assert len(card.commands) == len(other.commands) == 20


@pytest.mark.parametrize("reader", ["lpad TEST 00 00", "*00", "lp?d*00", 0, "0"])
def test_readers_are_found_by_pattern_and_position(
    readers: Readers, card: ScriptedCard, reader: str | int
) -> None:
    """A reader is found by a pattern or a position, so a setting need not contain its full name."""
    card.answers[GET_EID] = EID
    link = open_pcsc_link(reader, deadline=soon())
    with isdr_session(link, deadline=soon()) as isdr:
        assert isdr.command(GET_EID, deadline=soon()) == EID
    link.close()


def test_a_refresh_is_fetched_and_the_card_reset(link: PcscLink, card: ScriptedCard) -> None:
    """After 91xx, lpad fetches REFRESH 'UICC reset' and answers it only by a reset (TS 102 223, 6.4.7)."""
    card.status = 0x910B
    card.proactive = bytes.fromhex("D009810301010482028182")
    before = card.resets
    with isdr_session(link, deadline=soon()) as isdr:
        isdr.command(GET_EID, deadline=soon())
        assert [command.ins for command in card.sent][-2:] == [0xE2, 0x12]
    assert card.resets > before
    assert card.open == set()


def test_the_next_session_finds_the_card_after_a_refresh(link: PcscLink, card: ScriptedCard) -> None:
    """After REFRESH of type 'eUICC profile state change', the next session works (onomondo-ipa#3)."""
    card.status = 0x910B
    card.proactive = bytes.fromhex("D009810301010982028182")
    with isdr_session(link, deadline=soon()) as isdr:
        isdr.command(GET_EID, deadline=soon())
    card.status = 0x9000
    card.answers[GET_EID] = EID
    with isdr_session(link, deadline=soon()) as isdr:
        assert isdr.command(GET_EID, deadline=soon()) == EID


def test_terminal_profile_is_sent_once_for_each_start_of_the_card(card: ScriptedCard) -> None:
    """A card that needs TERMINAL PROFILE gets it when it is first used, and again after a reset."""
    link = open_pcsc_link(FIRST, deadline=soon(), terminal_profile=REFRESH_ONLY)
    for _ in range(2):
        link.open_channel((ISD_R,), deadline=soon()).close(deadline=soon())
    assert [command.data for command in card.sent if command.ins == 0x10] == [REFRESH_ONLY]
    link._card.begin(deadline=soon())
    link._card.reset(deadline=soon())
    link._card.end()
    link.open_channel((ISD_R,), deadline=soon()).close(deadline=soon())
    assert [command.data for command in card.sent if command.ins == 0x10] == [REFRESH_ONLY] * 2
    link.close()


def test_closing_takes_the_cards_power(link: PcscLink, card: ScriptedCard) -> None:
    """Closing the link switches the card's power off, so that no channel stays open for the next use."""
    link.open_channel((ISD_R,), deadline=soon())
    link.close()
    again = open_pcsc_link(FIRST, deadline=soon())
    again.close()
    assert card.open == set()


def test_no_thread_stays_behind(card: ScriptedCard) -> None:
    """A link has one thread of its own, which ends when the link is closed."""
    before = threading.active_count()
    for _ in range(5):
        link = open_pcsc_link(FIRST, deadline=soon())
        assert threading.active_count() == before + 1
        link.close()
        assert threading.active_count() == before


def test_the_isdr_that_answered_is_asked_for_first(card: ScriptedCard, tmp_path: Path) -> None:
    """The AID of a card's ISD-R is remembered for the reader and the kind of card, across restarts."""
    card.applications = (bytes(ESTK_SE0),)
    asked = []
    for _ in range(2):
        link = open_pcsc_link(FIRST, memory=LinkMemory(tmp_path), deadline=soon())
        card.sent.clear()
        with isdr_session(link, aids=isdr_aids(), deadline=soon()) as isdr:
            assert isdr.aid == ESTK_SE0
        asked.append([Aid(command.data) for command in card.sent if command.ins == 0xA4])
        link.close()
    assert asked == [[ISD_R, ESTK_SE0], [ESTK_SE0]]


def test_another_kind_of_card_in_the_reader_is_a_new_one(readers: Readers, tmp_path: Path) -> None:
    """If another kind of card is in the reader, what lpad remembers about the first is not used."""
    memory = LinkMemory(tmp_path)
    first = ScriptedCard(longest_block=100, answers={bytes(200): b"\x01"})
    for card, atr, expected in ((first, ATR_T0, 63), (ScriptedCard(), bytes.fromhex("3B9F96801FC7"), 255)):
        put_in(readers.first, FIRST, card, atr)
        link = open_pcsc_link(FIRST, memory=memory, deadline=soon())
        with isdr_session(link, deadline=soon()) as isdr:
            isdr.command(bytes(200), deadline=soon())
            assert isdr.block_size == expected
        link.close()
    put_in(readers.first, FIRST, first)
    again = open_pcsc_link(FIRST, memory=LinkMemory(tmp_path), deadline=soon())
    with isdr_session(again, deadline=soon()) as isdr:
        assert isdr.block_size == 63
    again.close()


@pytest.mark.parametrize(("longest", "found"), [(255, 255), (254, 120), (119, 63)])
def test_block_size_starts_whole_and_falls_back(card: ScriptedCard, longest: int, found: int) -> None:
    """Of 255, 120 and 63, the first accepted size is kept, and no block of a chain is sent twice."""
    card.longest_block = longest
    link = open_pcsc_link(FIRST, deadline=soon())
    card.sent.clear()
    with isdr_session(link, deadline=soon()) as isdr:
        isdr.command(bytes(1000), deadline=soon())
    assert link.block_size == found
    assert card.commands == [bytes(1000)]
    taken = [command.p2 for command in card.sent if command.ins == 0xE2 and len(command.data) <= longest]
    assert taken == sorted(set(taken))
    link.close()
