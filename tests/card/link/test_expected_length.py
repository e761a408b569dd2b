"""Lpad sends Le to cards and modems that return no data without it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from card.link_contract import EID, GET_EID, soon
from card.scripted_card import ScriptedCard
from lpad.card.at.at_link import open_at_link
from lpad.card.isdr.isdr import isdr_session
from lpad.card.link.remembered_links import LinkMemory
from lpad.codec import es10_intents
from lpad.simulator.modem.pty_modem import PtyModem

if TYPE_CHECKING:
    from pathlib import Path

    from lpad.base.deadline import Deadline

ENABLE = bytes.fromhex("BF3111A00F4F0DA0000005591010FFFFFFFF8900")
INTENTS = {GET_EID: es10_intents.GET_EID, ENABLE: es10_intents.ENABLE_PROFILE}


def session(path: str, memory: LinkMemory, *commands: bytes) -> list[bytes]:
    link = open_at_link(path, memory=memory)
    try:
        with isdr_session(link, deadline=soon()) as isdr:
            return [isdr.command(each, intent=INTENTS[each], deadline=soon()) for each in commands]
    finally:
        link.close()


def lengths(card: ScriptedCard) -> list[int | None]:
    """Return the Le of each command to the ISD-R; the byte 00 means 256."""
    return [command.le for command in card.sent if command.ins == 0xE2]


def test_a_question_that_brings_nothing_is_asked_with_le(tmp_path: Path) -> None:
    """After one empty answer to GetEID, lpad sends Le from then on, even after a restart."""
    card = ScriptedCard(answers={GET_EID: EID}, needs_le=True)
    with PtyModem(card) as modem:
        assert session(modem.path, LinkMemory(tmp_path), GET_EID) == [EID]
        card.sent.clear()
        assert session(modem.path, LinkMemory(tmp_path), GET_EID, ENABLE) == [EID, b""]
    assert lengths(card)[:2] == [256, 256]


def test_a_command_that_alters_the_card_is_never_sent_twice(tmp_path: Path) -> None:
    """EnableProfile is not repeated after an empty answer, because the card may have carried it out."""
    card = ScriptedCard(answers={GET_EID: EID})
    with PtyModem(card) as modem:
        session(modem.path, LinkMemory(tmp_path), GET_EID, ENABLE)
    assert card.commands.count(ENABLE) == 1


def test_another_card_that_refuses_le_gets_none(tmp_path: Path) -> None:
    """If a card inserted later reports a wrong length, this and all further commands are sent without Le."""

    class Refusing(ScriptedCard):
        def transmit(self, apdu: bytes, *, deadline: Deadline | None = None) -> bytes:
            if apdu[1] == 0xE2 and len(apdu) > 5 + apdu[4]:
                return b"\x67\x00"
            return super().transmit(apdu, deadline=deadline)

    card = ScriptedCard(answers={GET_EID: EID}, needs_le=True)
    with PtyModem(card) as modem:
        session(modem.path, LinkMemory(tmp_path), GET_EID)
        refusing = Refusing(answers={GET_EID: EID})
        modem.swap_card(refusing)
        assert session(modem.path, LinkMemory(tmp_path), GET_EID, GET_EID) == [EID, EID]
    assert lengths(refusing) == [None, None]
