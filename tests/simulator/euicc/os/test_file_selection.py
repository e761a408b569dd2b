"""The files of the enabled profile, selected and read as modems do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lpad.base.identifiers import Iccid
from lpad.codec.asn1 import tlv
from lpad.simulator.profile_package.file_access_rules import RULES
from lpad.simulator.profile_package.made_up_profile import made_up_profile
from simulator.euicc.os.test_operating_system import status
from simulator.euicc.small_server import ICCID, SmallServer, metadata

if TYPE_CHECKING:
    from pathlib import Path

    from simulator.euicc.small_lpa import SmallLpa

USIM = bytes.fromhex("A0000000871002FF49FF0589")


@pytest.fixture
def enabled(lpa: SmallLpa, server: SmallServer) -> SmallLpa:
    """An LPA whose card has a made-up profile enabled."""
    server.package = made_up_profile(ICCID, size=12_000)
    assert server.download(lpa)[0] == "successResult"
    assert lpa.enable(bytes(ICCID)) == 0
    return lpa


def selected(lpa: SmallLpa, identifier: str) -> dict[int, bytes]:
    """Select a file by its identifier and return its control parameters."""
    fcp = tlv.parse(lpa.apdu(f"00A4000402{identifier}00"))
    assert fcp.tag == 0x62
    return {each.tag: each.value for each in fcp.children()}


def records(lpa: SmallLpa, identifier: str) -> list[bytes]:
    """Return all records of a file, whose number and length are in its control parameters."""
    descriptor = selected(lpa, identifier)[0x82]
    assert descriptor[:2] == bytes.fromhex("4221")
    length, count = int.from_bytes(descriptor[2:4], "big"), descriptor[4]
    found = [lpa.apdu(f"00B2{number:02X}04{length:02X}") for number in range(1, count + 1)]
    assert status(lpa.card, f"00B2{count + 1:02X}04{length:02X}") == "6a83"
    return found


def test_a_modem_finds_the_usim_and_its_files(enabled: SmallLpa) -> None:
    """EF.DIR names the USIM, and EF.ICCID, EF.PL and EF.ARR can be read (TS 102 221, 13)."""
    assert selected(enabled, "3F00")[0x83] == b"\x3f\x00"
    (application,) = records(enabled, "2F00")
    template = tlv.parse_first(application)[0]
    assert (template.tag, template.get(0x4F).value) == (0x61, USIM)
    assert int.from_bytes(selected(enabled, "2FE2")[0x80], "big") == 10
    assert enabled.apdu("00B000000A") == bytes(ICCID)
    selected(enabled, "2F05")
    assert enabled.apdu("00B0000002") == b"\xff\xff"
    assert [each.rstrip(b"\xff") for each in records(enabled, "2F06")] == list(RULES)


def test_the_usim_is_selected_by_its_name(enabled: SmallLpa) -> None:
    """The USIM is selected by its AID; its files have the profile's content or the template's."""
    fcp = tlv.parse(enabled.apdu(f"00A404040C{USIM.hex()}00"))
    assert fcp.get(0x84).value == USIM
    for identifier, content in {
        "6F07": "080910101032547698",
        "6FAD": "00000002",
        "6F46": (b"\x00" + b"Made-up profile".ljust(16, b"\xff")).hex(),
        "6F78": "0001",
        "6F7E": "ffffffffffffff0000ff01",
    }.items():
        assert int.from_bytes(selected(enabled, identifier)[0x80], "big") == len(content) // 2
        assert enabled.apdu("00B0000000").hex() == content
    assert status(enabled.card, "00A40004026F3E") == "6a82"
    assert status(enabled.card, "00A40404070000000087100200") == "6a82"


def test_short_identifiers_select_their_files(enabled: SmallLpa) -> None:
    """Short identifiers: EF.DIR has 1E in the MF; in the USIM, EF.AD has 03 and EF.ECC has 01."""
    enabled.apdu("00A4000C023F00")
    assert enabled.apdu("00B201F400")[:1] == b"\x61"
    enabled.apdu("00A4000C027FFF")
    assert enabled.apdu("00B0830000").hex() == "00000002"
    assert enabled.apdu("00B2010C00").endswith(b"Emergency\x00")


def test_filler_is_in_telecom(enabled: SmallLpa) -> None:
    """The filler file of a large profile is in DF.TELECOM and can be read completely."""
    fcp = tlv.parse(enabled.apdu("00A40804047F106F8000"))
    size = int.from_bytes(fcp.get(0x80).value, "big")
    read = b""
    while len(read) < size:
        read += enabled.apdu(f"00B0{len(read):04X}00")
    (profile,) = enabled.card.profiles
    assert len(read) == size
    assert read in profile.package


@pytest.mark.parametrize(
    ("apdu", "expected"),
    [
        ("00B0000000", "6981"),  # READ BINARY cannot read a file with records
        ("00B2010000", "6a86"),  # READ RECORD accepts only record numbers
        ("00B2000400", "6a83"),
        ("00B2630400", "6a83"),
        ("00B201FC00", "6a82"),  # an unknown short identifier
    ],
)
def test_reading_that_is_refused(enabled: SmallLpa, apdu: str, expected: str) -> None:
    """A file with records refuses READ BINARY, and a file without records refuses READ RECORD."""
    selected(enabled, "2F00")
    assert status(enabled.card, apdu) == expected
    selected(enabled, "2FE2")
    assert status(enabled.card, "00B2010400") == "6981"


@pytest.mark.test_data
@pytest.mark.parametrize("file", ["TS48V1-A-UNIQUE", "TS48V3-SAIP2-3-BERTLV-UNIQUE"])
def test_a_published_profile_has_files_of_its_own(
    lpa: SmallLpa, server: SmallServer, test_data: Path, file: str
) -> None:
    """A TS.48 profile has its own EF.DIR and EF.ARR, and its directory 7F10/5F3A can be selected."""
    server.package = (test_data / "upp" / f"{file}.der").read_bytes()
    iccid = tlv.parse_all(server.package)[1].get(0xA4).get(0x83).value
    server.metadata = metadata(Iccid.from_bytes(iccid))
    assert server.download(lpa)[0] == "successResult"
    assert lpa.enable(iccid) == 0
    names = [tlv.parse_first(each)[0].get(0x4F).value for each in records(lpa, "2F00") if each[0] == 0x61]
    assert names[0] == USIM
    assert len(records(lpa, "2F06")) > 10
    for name in names:
        assert tlv.parse(lpa.apdu(f"00A40404{len(name):02X}{name.hex()}00")).get(0x84).value == name
    lpa.apdu("00A40804047F105F3A00")
