"""A card that shows no ISD-R on an MBIM port: when and how often lpad restarts the card."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from card.link_contract import EID, GET_EID, soon
from card.scripted_card import ScriptedCard
from lpad.base.errors import CardError
from lpad.base.identifiers import ISD_R, Iccid
from lpad.card.isdr.isdr import isdr_session
from lpad.card.link.remembered_links import LinkMemory
from lpad.card.mbim.mbim_link import MbimLink, open_mbim_link
from lpad.codec.mbim.messages import Action, Command
from lpad.codec.mbim.services import UICC, Uicc
from lpad.simulator.mbim.behaviour import MbimBehaviour
from lpad.simulator.mbim.control_port import MbimModem

if TYPE_CHECKING:
    from pathlib import Path

    from lpad.base.deadline import Deadline


def orders(modem: MbimModem, cid: Uicc) -> list[Command]:
    return [
        each
        for each in modem.received
        if isinstance(each, Command) and (each.service, each.cid, each.action) == (UICC, cid, Action.SET)
    ]


def resets_of(modem: MbimModem) -> list[Command]:
    return orders(modem, Uicc.RESET)


def declarations_of(modem: MbimModem) -> list[Command]:
    return orders(modem, Uicc.TERMINAL_CAPABILITY)


def get_eid(link: MbimLink) -> bytes:
    with isdr_session(link, deadline=soon()) as isdr:
        return isdr.command(GET_EID, deadline=soon())


@dataclass
class PlainSim(ScriptedCard):
    """A card with an ICCID, which is a plain SIM or an eUICC that hides its ISD-R."""

    applications: tuple[bytes, ...] = ()
    iccid: str = "8988211000000355518"

    def transmit(self, apdu: bytes, *, deadline: Deadline | None = None) -> bytes:
        """Answer the modem's reading of the ICCID on channel 0, and other APDUs as `ScriptedCard` does."""
        if apdu[:2] == b"\x00\xa4":
            return b"\x90\x00"
        if apdu[:2] == b"\x00\xb0":
            return bytes(Iccid.parse(self.iccid)) + b"\x90\x00"
        return super().transmit(apdu, deadline=deadline)


def try_to_open(modem: MbimModem, memory: LinkMemory, *, times: int = 3) -> None:
    """Try to open a channel as the daemon does: with a newly opened port each time."""
    for _ in range(times):
        link = open_mbim_link(modem.path, memory=memory)
        with pytest.raises(CardError):
            link.open_channel((ISD_R,), deadline=soon())
        link.close()


def test_a_card_that_is_no_euicc_is_restarted_once_in_its_life(tmp_path: Path) -> None:
    """A plain SIM is restarted once, even if modem or lpad restarts; another card is restarted once, too."""
    sim = PlainSim()
    for place, card, resets in (("wdm0", sim, 1), ("wdm1", sim, 0), ("wdm2", PlainSim(iccid="8944123"), 1)):
        with MbimModem(card, path=tmp_path / place) as modem:
            try_to_open(modem, LinkMemory(tmp_path / "links"))
            assert len(resets_of(modem)) == resets
            assert len(declarations_of(modem)) == 1


def test_an_euicc_that_was_silent_is_found_once_its_card_starts(tmp_path: Path) -> None:
    """An eUICC that was mistaken for a plain SIM is found once it restarts, without an order from lpad.

    The modem has already declared the terminal capability.
    """
    memory = LinkMemory(tmp_path / "links")
    with MbimModem(PlainSim(), path=tmp_path / "wdm0") as modem:
        try_to_open(modem, memory)
    card = PlainSim(applications=(bytes(ISD_R),), answers={GET_EID: EID})
    habits = MbimBehaviour(hides_isdr=True)
    with MbimModem(card, path=tmp_path / "wdm1", behaviour=habits) as modem:
        try_to_open(modem, memory)
        assert not resets_of(modem)
        modem.do(lambda function: function.modem.radio.reset())
        link = open_mbim_link(modem.path, memory=memory)
        assert get_eid(link) == EID
        link.close()
    with MbimModem(card, path=tmp_path / "wdm2", behaviour=habits) as modem:
        link = open_mbim_link(modem.path, memory=memory)
        assert get_eid(link) == EID
        link.close()
        assert len(resets_of(modem)) == 1


def test_a_card_without_an_iccid_is_restarted_with_each_start_of_its_modem(tmp_path: Path) -> None:
    """A card without an ICCID, perhaps an eUICC without a profile, is restarted once per modem start."""
    memory = LinkMemory(tmp_path / "links")
    for place in ("wdm0", "wdm1"):
        with MbimModem(ScriptedCard(applications=()), path=tmp_path / place) as modem:
            try_to_open(modem, memory)
            assert len(resets_of(modem)) == 1
