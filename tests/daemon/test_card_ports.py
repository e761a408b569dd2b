"""The settings' cards, as the engine gets them."""

from __future__ import annotations

from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import pytest

from card.link_contract import EID, GET_EID, soon
from card.private_pcscd import FIRST, PrivatePcscd, wait_for_cards
from card.scripted_card import ScriptedCard
from lpad.base.identifiers import ISD_R, Aid
from lpad.card.isdr.isdr import isdr_session
from lpad.card.link.isdr_aids import ESTK_SE0, ESTK_SE1
from lpad.daemon.card_ports import CardPorts
from lpad.settings import SettingsFile
from lpad.simulator.modem.pty_modem import PtyModem
from lpad.simulator.personalities import find_personality
from lpad.simulator.virtual_reader import VirtualReaderCard

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from lpad.engine.running.card.card_with_open_link import CardPort
    from lpad.settings import Settings

OTHER = Aid(bytes.fromhex("A000000559101001"))


def settings(folder: Path, text: str) -> Settings:
    path = folder / "lpad.yaml"
    path.write_text(text, encoding="utf-8")
    return SettingsFile.read(path).settings


def card_ports(folder: Path, text: str) -> list[CardPort]:
    return CardPorts(folder / "state").of(settings(folder, text))


def each_answers(ports: Iterable[CardPort]) -> None:
    """Open all ports, and assert that each one's eUICC answers under its own AID."""
    with ExitStack() as stack:
        for port, link in [(port, stack.enter_context(closing(port.open_link(soon())))) for port in ports]:
            with isdr_session(link, aids=port.aids, deadline=soon()) as isdr:
                assert (isdr.aid,) == port.aids
                assert isdr.command(GET_EID, deadline=soon()) == EID


def test_names_of_the_isdr_are_added(tmp_path: Path) -> None:
    """A card's AIDs of the ISD-R are the standard's, those of the settings, and those of vendors."""
    (port,) = card_ports(tmp_path, f"euiccs: {{a: {{port: x, aids: ['{OTHER}']}}}}")
    assert port.aids[:2] == (ISD_R, OTHER)
    assert ESTK_SE0 in port.aids


def test_a_fallback_port_of_the_settings_is_used(tmp_path: Path) -> None:
    """If the first port of the settings is gone, the fallback port reaches the card."""
    with PtyModem(ScriptedCard(answers={GET_EID: EID})) as modem:
        port, same = (
            card_ports(
                tmp_path, f"euiccs: {{a: {{port: /dev/gone, fallback_ports: [{path}], aid: '{ISD_R}'}}}}"
            )
            for path in (modem.path, "/dev/other")
        )
        each_answers(port)
        assert not port[0].leads_where(same[0])


def test_a_named_aid_is_the_only_one_tried(tmp_path: Path) -> None:
    """With `aid`, no other AID is tried."""
    (port,) = card_ports(tmp_path, f"euiccs: {{a: {{port: x, aid: '{OTHER}'}}}}")
    assert port.aids == (OTHER,)


def test_a_card_with_two_euiccs_in_a_reader_is_two_cards(tmp_path: Path) -> None:
    """A card's two eUICCs are reached through one reader, which is opened once."""
    card = ScriptedCard(answers={GET_EID: EID}, applications=(bytes(ESTK_SE0), bytes(ESTK_SE1)))
    with PrivatePcscd() as pcscd, VirtualReaderCard(card, port=pcscd.port):
        wait_for_cards(present={FIRST})
        text = f"""
            state_folder: state
            euiccs:
              one: {{reader: "{FIRST}", aid: "{ESTK_SE0}"}}
              two: {{reader: "{FIRST}", aid: "{ESTK_SE1}"}}
        """
        each_answers(card_ports(tmp_path, text))
    assert card.open == set()


@pytest.mark.parametrize("name", ["well-mannered", "strict-csim"])
def test_a_card_with_two_euiccs_is_two_cards(tmp_path: Path, name: str) -> None:
    """A card's two eUICCs are reached through one port, with one record of the working link."""
    card = ScriptedCard(answers={GET_EID: EID}, applications=(bytes(ESTK_SE0), bytes(ESTK_SE1)))
    with PtyModem(card, personality=find_personality(name).modem) as modem:
        text = f"""
            state_folder: state
            euiccs:
              one: {{port: {modem.path}, aid: "{ESTK_SE0}"}}
              two: {{port: {modem.path}, aid: "{ESTK_SE1}"}}
        """
        each_answers(card_ports(tmp_path, text))
    assert card.open == set()
    assert len(list((tmp_path / "state" / "links").glob("*.json"))) == 1


@pytest.mark.parametrize(
    ("more", "stays"),
    [
        ("", True),
        ("imei: '490154203237518', default_smdp: smdp.example.com, refresh: true, provision: on_empty", True),
        ("switching: {per_day: 3}, device_capabilities: {eutran_epc: 15}", True),
        ("baud: 9600", False),
        ("fast_baud: 921600", False),
        ("block_size: 100", False),
        (f"aid: '{OTHER}'", False),
        ("quirks: {links: [csim]}", False),
    ],
)
def test_a_port_stays_open_if_its_settings_are_unchanged(tmp_path: Path, *, more: str, stays: bool) -> None:
    """The port is opened again only if the way to the card has changed; other settings take effect on it."""
    ports = CardPorts(tmp_path)
    (before,) = ports.of(settings(tmp_path, "euiccs: {a: {port: x}}"))
    (after,) = ports.of(settings(tmp_path, f"euiccs: {{a: {{port: x, {more}}}}}"))
    assert after.leads_where(before) is stays


def test_a_loan_of_other_terms_is_another_way(tmp_path: Path) -> None:
    """A port with other borrowing settings is opened again; a reader has no such settings."""
    ports = CardPorts(tmp_path)
    cards = "euiccs: {a: {port: x}, b: {reader: r}}"
    before = ports.of(settings(tmp_path, cards))
    after = ports.of(settings(tmp_path, f"{cards}\nmodem_manager: {{hold: 7}}"))
    assert [new.leads_where(old) for new, old in zip(after, before, strict=True)] == [False, True]
