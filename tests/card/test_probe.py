"""A probe's findings on modems with all habits, and the data that a report hides."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from card.isdr.test_found_isdrs import TwoElements
from card.link_contract import EID, GET_EID, soon
from card.scripted_card import ScriptedCard
from card.test_personalities import card_of
from lpad.base.redaction import mask
from lpad.card.at.at_link import AtLink, open_at_link
from lpad.card.available_ports import find_ports
from lpad.card.link.isdr_aids import ESTK_SE0, ESTK_SE1, isdr_aids
from lpad.card.link.remembered_links import LinkMemory
from lpad.card.probe import ProbeReport, ShownError, ShownEuicc, probe
from lpad.simulator.modem.personality import ModemPersonality
from lpad.simulator.modem.pty_modem import PtyModem
from lpad.simulator.personalities import find_personality, personality_names

if TYPE_CHECKING:
    from lpad.base.identifiers import Aid
    from lpad.card.link.link import Link

IMEI = "490154203237518"
WHOLE_EID = EID[5:].hex()


def probed(modem: PtyModem, *, folder: Path | None = None) -> ProbeReport:
    link: AtLink | None = None

    def open_link() -> Link:
        nonlocal link
        link = open_at_link(modem.path, memory=LinkMemory(folder))
        return link

    try:
        return probe(open_link, port=modem.path, aids=isdr_aids(), deadline=soon())
    finally:
        if link is not None:
            link.close()


@pytest.mark.parametrize("name", personality_names())
def test_a_probe_reads_the_card_in_every_simulated_modem(name: str) -> None:
    """A probe finds a way to the card in every modem, and leaves no channel open."""
    personality = find_personality(name)
    card = card_of(personality)
    card.answers[GET_EID] = EID
    habits = replace(personality.modem, answer_delay=min(personality.modem.answer_delay, 0.01))
    with PtyModem(card, personality=habits) as modem:
        report = probed(modem)
    assert report.error is None
    assert str(report.eid) == WHOLE_EID
    assert str(report.imei) == IMEI
    assert report.link.kind is not None
    assert report.link.quirks
    assert report.block_size
    assert not card.open
    assert [each.what for each in report.timings][:3] == [
        "open port",
        "IMEI, and leftover lines on the port",
        "AT",
    ]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("strict-csim", {"link": "csim", "handle": "number", "model": "DW5821e-eSIM"}),
        ("cgla-hex64", {"link": "cgla", "handle": "16 hexadecimal digits", "model": "MC7455"}),
        ("cgla-number", {"link": "cgla", "handle": "number", "firmware": "EG25GGBR07A08M2G"}),
        ("cgla-channel-in-class", {"link": "cgla-channel-in-class"}),
        ("data-by-61xx", {"answers": ("61xx, fetched with GET RESPONSE",)}),
        ("wrong-length-first", {"answers": ("6Cxx, repeated with the reported length",)}),
        ("well-mannered", {"block_size": 255, "block_size_learned": False, "channels_closed": 0}),
    ],
)
def test_the_report_names_link_and_handle(name: str, found: dict[str, Any]) -> None:
    """The report names link, form of the handle, and how data are returned."""
    personality = find_personality(name)
    card = card_of(personality)
    card.answers[GET_EID] = EID
    with PtyModem(card, personality=personality.modem) as modem:
        shown = msgspec.to_builtins(probed(modem).shown())
    assert {key: shown[key] for key in found} == found


@pytest.mark.parametrize("name", ["well-mannered", "strict-csim"])
@pytest.mark.parametrize("aids", [isdr_aids(), (ESTK_SE1,)])
def test_both_euiccs_of_a_card_are_shown(tmp_path: Path, name: str, aids: tuple[Aid, ...]) -> None:
    """The report shows the AIDs of both eUICCs; lpad still works with the same eUICC."""
    card = TwoElements(applications=(bytes(ESTK_SE0), bytes(ESTK_SE1)))
    with PtyModem(card, personality=find_personality(name).modem) as modem:
        for _ in range(2):
            link = open_at_link(modem.path, memory=LinkMemory(tmp_path))
            shown = probe(lambda: link, port="", aids=aids, deadline=soon()).shown()  # noqa: B023 - called immediately
            link.close()
            both = (
                ShownEuicc(isdr_aid=str(ESTK_SE0), eid="89049032…00"),
                ShownEuicc(isdr_aid=str(ESTK_SE1), eid="89044045…11"),
            )
            assert shown.euiccs == (both if len(aids) > 1 else both[::-1])
            assert shown.error is None
    assert card.open == set()


def test_channels_left_open() -> None:
    """The report counts the channels of a crashed process that lpad had to close."""
    card = ScriptedCard(answers={GET_EID: EID})
    with PtyModem(card) as modem:
        link = open_at_link(modem.path)
        for _ in range(3):
            link.open_channel(isdr_aids(), deadline=soon())
        link.close()
        report = probed(modem)
    assert report.error is None
    assert report.link.channels_closed == 3


def test_failure_is_part_of_the_report() -> None:
    """If the card cannot be reached, the report states this, with the earlier findings."""
    with PtyModem(ScriptedCard(applications=())) as modem:
        report = probed(modem)
    assert report.error is not None
    assert report.link.model == "PtyModem"
    assert report.shown().error == ShownError(kind="card-status", sentence=mask(report.error.sentence))


def test_a_missing_port_leads_to_a_report() -> None:
    """The probe of a missing port returns a report; its error hides the serial number in the port's name."""
    report = probe(
        lambda: open_at_link("/dev/serial/by-id/usb-Maker_0123456789ABCDEF-if02"),
        port="/dev/serial/by-id/usb-Maker_0123456789ABCDEF-if02",
        aids=isdr_aids(),
        deadline=soon(),
    )
    text = json.dumps(msgspec.to_builtins(report.shown()), ensure_ascii=False)
    assert "there is no such port" in text
    assert "0123456789ABCDEF" not in text
    assert "usb-Maker_…EF-if02" in text


def test_a_report_identifies_neither_card_nor_device() -> None:
    """A report contains nothing that identifies the card or the device, unless this is requested."""
    card = ScriptedCard(answers={GET_EID: EID})
    with PtyModem(card, personality=ModemPersonality(imei=IMEI)) as modem:
        report = probed(modem)
    text = json.dumps(msgspec.to_builtins(report.shown()), ensure_ascii=False)
    assert IMEI not in text
    assert WHOLE_EID not in text
    assert report.shown().eid == f"{WHOLE_EID[:8]}…{WHOLE_EID[-2:]}"
    assert report.shown().imei == f"{IMEI[:8]}…{IMEI[-2:]}"
    whole = json.dumps(msgspec.to_builtins(report.shown(unredacted=True)))
    assert IMEI in whole
    assert WHOLE_EID in whole


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("/dev/ttyUSB2", "/dev/ttyUSB2"),
        ("usb-SimTech_SIM7600_0123456789ABCDEF-if02-port0", "usb-SimTech_SIM7600_…EF-if02-port0"),
        ("Gemalto PC Twin Reader (5A3B1234) 00 00", "Gemalto PC Twin Reader (…34) 00 00"),
        ("AT modem on /dev/ttyUSB2, EID 89049032…35", "AT modem on /dev/ttyUSB2, EID 89049032…35"),
        ("a reader 89049032123…35", "a reader …23…35"),
        ("pcscd is not running (PC/SC 8010001D)", "pcscd is not running (PC/SC 8010001D)"),
        ("the modem answered +CME ERROR: 100", "the modem answered +CME ERROR: 100"),
        ("deadbeefcafe is not a number", "deadbeefcafe is not a number"),
    ],
)
def test_serial_numbers_in_names_are_shortened(text: str, masked: str) -> None:
    """Serial numbers in the names of ports and readers are shortened; words and shortened EIDs are not."""
    assert mask(text) == masked


def test_ports_are_listed_by_their_lasting_names(tmp_path: Path) -> None:
    """The report lists a port by its lasting name if it has one."""
    (tmp_path / "serial" / "by-id").mkdir(parents=True)
    for name in ("ttyUSB0", "ttyUSB1", "ttyS0", "wwan0at0"):
        (tmp_path / name).touch()
    (tmp_path / "serial" / "by-id" / "usb-Maker-if02").symlink_to(tmp_path / "ttyUSB1")
    found = find_ports(deadline=soon(), devices=tmp_path)
    names = [Path(path).name for path in found.serial]
    assert names == ["usb-Maker-if02", "ttyUSB0", "wwan0at0"]
    assert (found.no_readers is None) or not found.readers


def test_the_report_is_documented() -> None:
    """The table in docs/api.md lists exactly the fields of a report."""
    page = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
    table = page.partition("\n## Probe\n")[2].partition("\n## ")[0]
    named = {
        name for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for name in row.split("`")[1::2]
    }
    card = card_of(find_personality("plain"))
    with PtyModem(card) as modem:
        assert named == set(msgspec.to_builtins(probed(modem).shown(unredacted=False)))
