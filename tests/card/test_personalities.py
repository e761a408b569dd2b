"""The contract of links on every simulated modem, with links found by a search over pyserial on a pty."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from card.link_contract import EID, GET_EID, LinkContract, Rig, soon
from card.scripted_card import ScriptedCard
from lpad.card.at.at_link import open_at_link
from lpad.card.isdr.isdr import isdr_session
from lpad.card.port.link_refused import LinkRefused
from lpad.simulator.euicc.chip.behaviour import Answers
from lpad.simulator.modem.personality import Csim
from lpad.simulator.modem.pty_modem import PtyModem
from lpad.simulator.personalities import Personality, find_personality, personality_names

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lpad.card.link.link import Link


def card_of(personality: Personality) -> ScriptedCard:
    """Return a scripted card with a personality's habits, as far as `ScriptedCard` has them."""
    card = ScriptedCard()
    behaviour = personality.card
    card.asks_for_length = behaviour.answers is Answers.CORRECTED
    card.needs_le = behaviour.data_needs_le
    card.portion = behaviour.portion if behaviour.portion < 256 else None
    first = behaviour.first_channel
    card.free_channels[:] = range(first, first + behaviour.channels)
    return card


def warm_up(link: Link, card: ScriptedCard, *, size: int) -> None:
    """Have lpad find the link and send a long command, in two attempts if +CGLA fails at the first."""
    for _ in range(2):
        try:
            with isdr_session(link, deadline=soon()) as isdr:
                isdr.command(bytes(size), deadline=soon())
            break
        except LinkRefused:
            assert size > 1000
    assert card.open == set()
    card.sent.clear()
    card.commands.clear()


@pytest.mark.parametrize("name", personality_names())
class TestPersonality(LinkContract):
    """The contract of links, once the link is found and its block size is known."""

    @pytest.fixture
    def rig(self, name: str) -> Iterator[Rig]:
        personality = find_personality(name)
        modem_habits = replace(personality.modem, answer_delay=min(personality.modem.answer_delay, 0.005))
        card = card_of(personality)
        tells = modem_habits.csim is Csim.WORKS
        with PtyModem(card, personality=modem_habits) as modem:
            link = open_at_link(modem.path)
            try:
                warm_up(link, card, size=300 if modem_habits.cgla_breaks_at is None else 12000)
                yield Rig(link, card, tells_why=tells)
                # A channel from before a restart of the card stays open: its handle may now be the modem's.
                assert not modem_habits.closes_channels or len(modem.open_channels) <= card.resets
            finally:
                link.close()


def test_half_a_second_for_each_answer() -> None:
    """Lpad waits for a modem that needs half a second for each answer, although manuals promise 300 ms."""
    slow = find_personality("slow")
    card = card_of(slow)
    card.answers[GET_EID] = EID
    with PtyModem(card, personality=replace(slow.modem, answer_delay=0.5)) as modem:
        link = open_at_link(modem.path)
        with isdr_session(link, deadline=soon()) as isdr:
            assert isdr.command(GET_EID, deadline=soon()) == EID
        link.close()
    assert card.open == set()
