"""Proactive commands are carried out, even if a card's commands are odd."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from card.link_contract import soon
from lpad.base.errors import CardUnreachable
from lpad.card.channel.proactive import ProactiveCard
from lpad.protocol.apdu import Apdu, Command

if TYPE_CHECKING:
    from lpad.base.deadline import Deadline

STORE_DATA = Apdu(Command.parse(bytes.fromhex("81E2910003BF2D00")))
INSIDE_CHAIN = Apdu(Command.parse(bytes.fromhex("81E2110003BF2D00")))
RESET = bytes.fromhex("D009810301010482028182")
STATE_CHANGE = bytes.fromhex("D009810301010982028182")
DISPLAY = bytes.fromhex("D009810302218082028182")


class WishfulCard:
    """A card that answers 91xx while proactive commands wait, and records the terminal responses."""

    def __init__(self, *wishes: bytes) -> None:
        self.wishes = list(wishes)
        self.heard: list[int] = []
        self.responses: list[bytes] = []
        self.resets = 0
        self.fails_at: int | None = None
        self.status_of: dict[int, bytes] = {}

    def transmit(self, apdu: bytes, *, deadline: Deadline) -> bytes:
        command = Command.parse(apdu)
        self.heard.append(command.ins)
        if command.ins == self.fails_at:
            raise CardUnreachable("gone")
        if command.ins in self.status_of:
            return self.status_of[command.ins]
        if command.ins == 0x12:
            return self.wishes.pop(0) + b"\x90\x00"
        if command.ins == 0x14:
            self.responses.append(command.data)
        return b"\x91" + bytes([len(self.wishes[0])]) if self.wishes else b"\x90\x00"

    def reset(self, *, deadline: Deadline) -> None:
        self.resets += 1
        if self.fails_at == -1:
            raise CardUnreachable("mute")


def served(card: WishfulCard) -> ProactiveCard:
    return ProactiveCard(card, power=card)


def test_nothing_is_done_if_nothing_is_wanted() -> None:
    """Without a proactive command, the status word 9000 is passed on unchanged."""
    card = WishfulCard()
    assert served(card).transmit(STORE_DATA, deadline=soon()) == b"\x90\x00"
    assert card.heard == [0xE2]


def test_reset_without_terminal_response() -> None:
    """REFRESH 'UICC reset' leads to a reset and no TERMINAL RESPONSE; the caller gets 91xx (success)."""
    card = WishfulCard(RESET)
    assert served(card).transmit(STORE_DATA, deadline=soon()) == b"\x91\x0b"
    assert card.heard == [0xE2, 0x12]
    assert card.resets == 1


def test_profile_state_change() -> None:
    """REFRESH 'eUICC profile state change' gets a TERMINAL RESPONSE, and then the card is reset."""
    card = WishfulCard(STATE_CHANGE)
    served(card).transmit(STORE_DATA, deadline=soon())
    assert card.heard == [0xE2, 0x12, 0x14]
    assert card.responses[0].hex() == "810301010982028281830100"
    assert card.resets == 1


def test_several_commands_are_handled_with_one_reset() -> None:
    """If a card announces a command after each response, lpad handles them all and resets the card once."""
    card = WishfulCard(DISPLAY, STATE_CHANGE, DISPLAY)
    served(card).transmit(STORE_DATA, deadline=soon())
    assert [response[-1] for response in card.responses] == [0x30, 0x00, 0x30]
    assert card.resets == 1


def test_a_card_that_never_has_enough(caplog: pytest.LogCaptureFixture) -> None:
    """After sixteen proactive commands in a row, lpad handles no more proactive commands."""
    card = WishfulCard(*[DISPLAY] * 100)
    served(card).transmit(STORE_DATA, deadline=soon())
    assert len(card.responses) == 16
    assert "ignores further ones" in caplog.text


def test_not_inside_a_chain() -> None:
    """Between two blocks of a command nothing else is sent; the card announces 91xx again at the end."""
    card = WishfulCard(RESET)
    raw = served(card)
    raw.transmit(INSIDE_CHAIN, deadline=soon())
    assert card.heard == [0xE2]
    raw.transmit(STORE_DATA, deadline=soon())
    assert card.resets == 1


@pytest.mark.parametrize(
    ("fails_at", "resets"), [(0x12, 0), (0x14, 1), (-1, 1)], ids=["fetch", "response", "reset"]
)
def test_the_commands_answer_stands(caplog: pytest.LogCaptureFixture, fails_at: int, resets: int) -> None:
    """A failure in serving a proactive command is not an error of the card's command, which has succeeded."""
    card = WishfulCard(STATE_CHANGE)
    card.fails_at = fails_at
    with caplog.at_level(logging.WARNING):
        assert served(card).transmit(STORE_DATA, deadline=soon()) == b"\x91\x0b"
    assert card.resets == resets
    assert "could not carry out" in caplog.text or "not reset" in caplog.text


@pytest.mark.parametrize(
    ("ins", "answer"),
    [(0x12, b"\x6f\x00"), (0x12, b"\x90\x00"), (0x12, b"\xd0\x01\x90\x00"), (0x14, b"\x6f\x00")],
)
def test_odd_answers_to_fetch_are_logged(caplog: pytest.LogCaptureFixture, ins: int, answer: bytes) -> None:
    """If the card refuses FETCH or TERMINAL RESPONSE, or sends a malformed command, the log reports it."""
    card = WishfulCard(DISPLAY)
    card.status_of[ins] = answer
    assert served(card).transmit(STORE_DATA, deadline=soon()) == b"\x91\x0b"
    assert card.resets == 0
    assert "could not carry out" in caplog.text


def test_malformed_answers_pass() -> None:
    """An answer without a status word is passed on unchanged."""
    card = WishfulCard()
    card.status_of[0xE2] = b"\x91"
    assert served(card).transmit(STORE_DATA, deadline=soon()) == b"\x91"
