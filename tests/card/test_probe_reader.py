"""Probing cards in PC/SC readers, on real pcscd."""

from __future__ import annotations

import pytest

from card.isdr.test_found_isdrs import TwoElements
from card.link_contract import EID, GET_EID, soon
from card.private_pcscd import ATR_T0, ATR_T1, FIRST, SECOND, BlockCard, PrivatePcscd, Slot, wait_for_cards
from card.scripted_card import ScriptedCard
from lpad.base.identifiers import ISD_R, Aid
from lpad.base.redaction import mask
from lpad.card.available_ports import find_ports
from lpad.card.link.isdr_aids import ESTK_SE0, ESTK_SE1
from lpad.card.pcsc.pcsc_link import PcscLink, open_pcsc_link
from lpad.card.probe import ProbeReport, probe
from lpad.simulator.virtual_reader import VirtualReaderCard


def probed(reader: str, aid: Aid = ISD_R) -> ProbeReport:
    links: list[PcscLink] = []

    def open_link() -> PcscLink:
        links.append(open_pcsc_link(reader, deadline=soon()))
        return links[0]

    try:
        return probe(open_link, port=reader, aids=(aid,), deadline=soon())
    finally:
        for link in links:
            link.close()


@pytest.mark.parametrize(("atr", "kind"), [(ATR_T0, "pcsc-t0"), (ATR_T1, "pcsc-t1")], ids=["T0", "T1"])
def test_the_report_names_reader_and_protocol(atr: bytes, kind: str) -> None:
    """The report names the card's reader and protocol, and lists both connected readers."""
    slot = Slot()
    slot.card = (ScriptedCard if atr == ATR_T0 else BlockCard)(answers={GET_EID: EID})
    slot.atr = atr
    with PrivatePcscd() as pcscd, VirtualReaderCard(slot, port=pcscd.port):
        wait_for_cards(present={FIRST})
        found = find_ports(deadline=soon())
        report = probed(FIRST)
        empty = probed(SECOND)
    assert found.readers == (FIRST, SECOND)
    assert report.error is None
    assert (report.link.kind, report.link.reader) == (kind, FIRST)
    assert report.shown().reader == mask(FIRST)
    assert str(report.eid) == EID[5:].hex()
    assert not slot.card.open
    assert empty.error is not None
    assert empty.error.kind == "card-unreachable"


def test_both_euiccs_of_a_card_are_shown() -> None:
    """In a reader, too, the report shows both eUICCs of a card, which their AIDs distinguish."""
    slot = Slot()
    slot.card = TwoElements(applications=(bytes(ESTK_SE0), bytes(ESTK_SE1)))
    with PrivatePcscd() as pcscd, VirtualReaderCard(slot, port=pcscd.port):
        wait_for_cards(present={FIRST})
        report = probed(FIRST, ESTK_SE1)
    assert [each.aid for each in report.euiccs] == [ESTK_SE1, ESTK_SE0]
    assert not slot.card.open


def test_without_pcscd_the_report_gives_the_reason() -> None:
    """Without pcscd there are no readers, and the report gives the reason."""
    found = find_ports(deadline=soon())
    assert found.readers == ()
    assert found.no_readers is not None
    assert "pcscd" in found.no_readers
