"""Modems' answers with an ICCID, in many forms."""

from __future__ import annotations

import pytest

from lpad.base.errors import MalformedError
from lpad.base.identifiers import Iccid
from lpad.protocol.at_dialogue import AtAnswer, AtDialogue
from lpad.protocol.iccid_answer import (
    IccidReport,
    SimLocked,
    iccid_command,
    iccid_report,
    iccid_told,
    is_reported,
)

ICCID = "8900101000000000017"
SWAPPED = "980001010000000010F7"
EID = "89049032123451234512345678901235"
OTHER = "8900101000000000025"


def answer(line: str) -> AtAnswer:
    return AtAnswer((line,), "OK")


def reported(command: str, text: str) -> IccidReport | SimLocked | None:
    """Return the report of a modem's answer to a command for the ICCID."""
    dialogue = AtDialogue()
    dialogue.ask(iccid_command(command))
    dialogue.receive(text.encode())
    assert dialogue.answer is not None, "the answer is not complete"
    return iccid_report(dialogue.answer)


@pytest.mark.parametrize(
    "line",
    [
        ICCID,
        f"{ICCID}F",
        f'"{ICCID}"',
        f'"{ICCID}F"',
        SWAPPED,
        f'"{SWAPPED}"',
        SWAPPED.lower(),
        SWAPPED.replace("F", ""),  # without padding, there is an odd number of digits
        '144,0,"980001010000000010F7"',
        "145, 16, 980001010000000010F7",
        f'144,0,"{ICCID}F"',
        f'1,"{ICCID}F"',
        f'"{ICCID}",1',
        f"0,{SWAPPED},1",
        f'1,0,"{ICCID}"',
        f"{EID},{ICCID}",
        f'"{ICCID}F","{EID}"',
        f"{EID} {SWAPPED}",
        f"ICCID: {ICCID}, EID: {EID}",
        f"SIM1 {ICCID}F",
        "8900 1010 0000 0000 017F",
        "89-00101-000000000017",
        "1 8900 1010 0000 0000 017F",
        "1 8900 1010 0000 0000 017F 0",
        f"01 {SWAPPED} 0 {EID}",
        "89 00 10 10 00 00 00 00 01 7F",
    ],
)
def test_forms_of_an_iccid(line: str) -> None:
    """The ICCID may be quoted, padded, swapped or grouped, with slot number and EID next to it."""
    report = iccid_report(answer(line))
    assert isinstance(report, IccidReport)
    assert str(report.likeliest) == ICCID
    assert iccid_told(answer(line)) == Iccid.parse(ICCID)
    assert report.names(Iccid.parse(ICCID))
    assert not report.names(Iccid.parse(OTHER))


@pytest.mark.parametrize(
    "lines",
    [
        "+CCID: {iccid}",
        "{iccid}",
        '"{iccid}"',
        "+CCID: {eid}\r\n+CCID: {iccid}",
        "+CCID: {iccid}\r\n+CCID: {eid}",
        "+CCID: {eid}\r\n{iccid}",
        "+CCID: {iccid}\r\n{eid}",
        "{eid}\r\n{swapped}",
        "EID: {eid}\r\nICCID: {iccid}",
        "+ICCID: {iccid}",
        "!ICCID: {swapped}, 0",
        "+EID: {eid}\r\n+ICCID: {padded}",
        "+CREG: 5\r\n+CCID: {iccid}\r\n+CSQ: 20,99",
    ],
)
def test_lines_of_an_answer(lines: str) -> None:
    """The ICCID may be on any line, under any name, with the EID before or after it."""
    told = lines.format(iccid=ICCID, swapped=SWAPPED, eid=EID, padded=f"{ICCID}F")
    report = reported("AT+CCID", f"\r\n{told}\r\n\r\nOK\r\n")
    assert isinstance(report, IccidReport)
    assert report.likeliest == Iccid.parse(ICCID)


@pytest.mark.parametrize(
    ("told", "iccid"),
    [
        ("898600B5000000000015", "898600B5000000000015"),
        ("9868005B000000000051", "898600B5000000000015"),
        ("898604b70000001F", "898604B70000001"),
        ("8944FFFFFFFFFFFFFFFF", "8944"),
        ("9844FFFFFFFFFFFFFFFF", "8944"),
        ("98440100000000000010", "89441000000000000001"),
        ("012345678901234567", "012345678901234567"),
    ],
)
def test_iccids_of_all_kinds(told: str, iccid: str) -> None:
    """ICCIDs with letters, short ones, ones of 20 digits and ones that do not begin with 89 are read."""
    report = iccid_report(answer(told))
    assert isinstance(report, IccidReport)
    assert str(report.likeliest) == iccid
    assert report.names(Iccid.parse(iccid))


@pytest.mark.parametrize("iccid", ["8944", "898600B", "89860012345678E"])
@pytest.mark.parametrize(
    "line", ["{eid},{iccid}", "1,{iccid},{eid}", "{iccid} {eid}", "ICCID: {iccid}, EID: {eid}"]
)
def test_a_short_iccid_next_to_an_eid(line: str, iccid: str) -> None:
    """Next to an EID, an ICCID of a few digits is not mistaken for a slot number."""
    report = iccid_report(answer(line.format(iccid=iccid, eid=EID)))
    assert isinstance(report, IccidReport)
    assert report.likeliest == Iccid.parse(iccid)


@pytest.mark.parametrize(
    ("lines", "iccids"),
    [
        ("{iccid}", ("8", "89", "8944", "898600B", "898600B50", "00", "BEE1")),
        ('"{iccid}"', ("8", "89", "8944", "898600B")),
        ("{iccid}F", ("8", "89", "8944", "898600B")),
        ("{swapped}", ("8", "89", "8944", "898600B")),
        ("0,{iccid}", ("8944", "898600B")),
        ("({iccid})", ("8944", "898600B")),
        ("[{iccid}];1", ("8944", "898600B")),
        ("{iccid}\r\n{eid}", ("8944", "898600B")),
        ("{eid}\r\n{iccid}", ("8944", "898600B")),
    ],
)
def test_a_short_iccid_on_a_line_of_its_own(lines: str, iccids: tuple[str, ...]) -> None:
    """An ICCID on a line of its own, without the command's name, is read however few digits it has."""
    for iccid in iccids:
        padded = iccid + "F" * (len(iccid) % 2)
        swapped = "".join(padded[at + 1] + padded[at] for at in range(0, len(padded), 2))
        told = lines.format(iccid=iccid, swapped=swapped, eid=EID)
        report = reported("AT+CCID", f"\r\n{told}\r\n\r\nOK\r\n")
        assert isinstance(report, IccidReport)
        assert report.names(Iccid.parse(iccid))


@pytest.mark.parametrize("line", ["RING", "+CREG: 5", "NORMAL POWER DOWN", "^BOOT:1,0", "+CSQ: 20,99"])
def test_other_lines_are_not_an_answer(line: str) -> None:
    """An unsolicited line is not mistaken for the ICCID that comes after it."""
    report = reported("AT+CCID", f"\r\n{line}\r\n\r\n8944\r\n\r\nOK\r\n")
    assert isinstance(report, IccidReport)
    assert set(report.readings) == {Iccid.parse("8944"), Iccid.parse("9844")}


def test_89_decides_between_forms_and_nothing_more() -> None:
    """A report matches an ICCID that begins with 98, even if its swapped digits are more likely."""
    report = iccid_report(answer("98440100000000000010"))
    assert isinstance(report, IccidReport)
    assert report.names(Iccid.parse("98440100000000000010"))
    assert str(report.likeliest) == "89441000000000000001"


@pytest.mark.parametrize("part", [ICCID[:-1], ICCID[:12], ICCID[1:], ICCID + "1"])
def test_a_part_is_not_the_whole(part: str) -> None:
    """A report that has a digit more or fewer than an ICCID does not match the ICCID."""
    report = iccid_report(answer(part))
    assert isinstance(report, IccidReport)
    assert not report.names(Iccid.parse(ICCID))


def test_a_slots_number_is_not_an_iccid() -> None:
    """Next to an ICCID, the number of a slot is not an ICCID."""
    report = iccid_report(answer(f"1,{ICCID},2"))
    assert isinstance(report, IccidReport)
    assert not report.names(Iccid.parse("1"))
    assert not report.names(Iccid.parse("2"))


@pytest.mark.parametrize("line", ['148,4,""', "106,130", "144,0"])
def test_no_such_file(line: str) -> None:
    """If the card has no file for the ICCID, the report is None."""
    assert iccid_report(answer(line)) is None
    assert iccid_told(answer(line)) is None


@pytest.mark.parametrize("line", ["105,130", "152,4", '152,64,""'])
def test_a_card_that_wants_a_pin_first(line: str) -> None:
    """Status words for a missing PIN are reported as SimLocked, not as a missing file."""
    assert isinstance(iccid_report(answer(line)), SimLocked)
    assert iccid_told(answer(line)) is None


@pytest.mark.parametrize(
    "line",
    [
        '144,0,"98001"',
        '144,0,"9800"',
        '144,0,"FF0001010000000010F7"',
        "ERROR",
        "",
        EID,
        f'"{EID}"',
        f"EID: {EID}",
        f"1,{EID},0",
        "FFFFFFFFFFFFFFFFFFFF",
        "SIM PIN",
        "?",
        "9" * 5000,
    ],
)
def test_answers_without_an_iccid_are_malformed(line: str) -> None:
    """An answer without an ICCID, such as an EID alone or other words, is malformed."""
    with pytest.raises(MalformedError):
        iccid_report(answer(line))


@pytest.mark.parametrize("text", [ICCID, f"{ICCID}F", SWAPPED, SWAPPED.lower(), f'"{ICCID}"', f"{ICCID}f"])
def test_a_programs_report_in_any_form(text: str) -> None:
    """An ICCID is recognised in a program's report with padding, quotes or swapped digits."""
    assert is_reported(ICCID, text)
    assert not is_reported(OTHER, text)


@pytest.mark.parametrize("text", [None, "", "unknown", EID, ICCID[:-1]])
def test_other_reports_are_not_the_iccid(text: str | None) -> None:
    """An empty or different report does not match the ICCID, and no report matches an AID."""
    assert not is_reported(ICCID, text)
    assert not is_reported("A0000005591010FFFFFFFF8900001000", text)
