"""The settings' cards, as the engine gets them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from card.link_contract import EID, GET_EID, soon
from card.private_pcscd import FIRST, PrivatePcscd, wait_for_cards
from card.scripted_card import ScriptedCard
from lpad.card.isdr import isdr_session
from lpad.card.isdr_aids import ESTK_SE0, ESTK_SE1
from lpad.card_ports import card_ports
from lpad.identifiers import ISD_R, Aid
from lpad.settings import SettingsFile
from lpad.simulator.modem import PtyModem
from lpad.simulator.personality import find_personality
from lpad.simulator.vpcd import VirtualReaderCard

if TYPE_CHECKING:
    from pathlib import Path

OTHER = Aid(bytes.fromhex("A000000559101001"))


def settings(folder: Path, text: str) -> SettingsFile:
    path = folder / "lpad.yaml"
    path.write_text(text, encoding="utf-8")
    return SettingsFile.read(path)


def test_names_of_the_isdr_are_added(tmp_path: Path) -> None:
    """The standard's name, those of the settings, those of vendors."""
    (port,) = card_ports(settings(tmp_path, f"euiccs: {{a: {{port: x, aids: ['{OTHER}']}}}}"))
    assert port.aids[:2] == (ISD_R, OTHER)
    assert ESTK_SE0 in port.aids


def test_one_name_is_the_only_one(tmp_path: Path) -> None:
    """With `aid` nothing else is tried."""
    (port,) = card_ports(settings(tmp_path, f"euiccs: {{a: {{port: x, aid: '{OTHER}'}}}}"))
    assert port.aids == (OTHER,)


def test_a_card_with_two_euiccs_in_a_reader_is_two_cards(tmp_path: Path) -> None:
    """Both are reached through the one reader, which is taken once."""
    card = ScriptedCard(answers={GET_EID: EID}, applications=(bytes(ESTK_SE0), bytes(ESTK_SE1)))
    with PrivatePcscd() as pcscd, VirtualReaderCard(card, port=pcscd.port):
        wait_for_cards(present={FIRST})
        text = f"""
            state_folder: state
            euiccs:
              one: {{reader: "{FIRST}", aid: "{ESTK_SE0}"}}
              two: {{reader: "{FIRST}", aid: "{ESTK_SE1}"}}
        """
        ports = card_ports(settings(tmp_path, text))
        links = [port.open_link(soon()) for port in ports]
        for port, link in zip(ports, links, strict=True):
            with isdr_session(link, aids=port.aids, deadline=soon()) as isdr:
                assert (isdr.aid,) == port.aids
                assert isdr.command(GET_EID, deadline=soon()) == EID
        for link in links:
            link.close()
    assert card.open == set()


@pytest.mark.parametrize("name", ["well-mannered", "strict-csim"])
def test_a_card_with_two_euiccs_is_two_cards(tmp_path: Path, name: str) -> None:
    """Both are reached through the one port; what works is remembered in the state folder, once."""
    card = ScriptedCard(answers={GET_EID: EID}, applications=(bytes(ESTK_SE0), bytes(ESTK_SE1)))
    with PtyModem(card, personality=find_personality(name).modem) as modem:
        text = f"""
            state_folder: state
            euiccs:
              one: {{port: {modem.path}, aid: "{ESTK_SE0}"}}
              two: {{port: {modem.path}, aid: "{ESTK_SE1}"}}
        """
        ports = card_ports(settings(tmp_path, text))
        links = [port.open_link(soon()) for port in ports]
        for port, link in zip(ports, links, strict=True):
            with isdr_session(link, aids=port.aids, deadline=soon()) as isdr:
                assert (isdr.aid,) == port.aids
                assert isdr.command(GET_EID, deadline=soon()) == EID
        for link in links:
            link.close()
    assert card.open == set()
    assert len(list((tmp_path / "state" / "links").glob("*.json"))) == 1
