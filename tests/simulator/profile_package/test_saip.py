"""The simulated card's reader of profile packages: published, made-up and broken ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from lpad.base.errors import InvalidValue, MalformedError
from lpad.base.identifiers import Iccid
from lpad.codec.asn1 import tlv
from lpad.simulator.profile_package.made_up_profile import made_up_profile
from lpad.simulator.profile_package.saip import PeStatus, ProfileElementError, ProfileStream, parse

FOUND = Path(__file__).parents[3] / "fuzz" / "corpus" / "saip" / "found-endless-offset"
ICCID = Iccid.parse("8949000000000000015")
PACKAGE = made_up_profile(ICCID, name="Grün & Co", imsi="26202123456789", size=3000)


def elements(package: bytes = PACKAGE) -> list[bytes]:
    return [element.raw for element in tlv.parse_all(package)]


@pytest.mark.test_data
@pytest.mark.parametrize(
    ("file", "iccid", "services"),
    [
        ("TS48V1-A-UNIQUE.der", "8949449999999990023", {0x81, 0x82, 0x83, 0x8B, 0x91}),
        (
            "TS48V3-SAIP2-3-BERTLV-UNIQUE.der",
            "8949449999999990080",
            {0x81, 0x82, 0x83, 0x91, 0x92, 0x95, 0x96, 0x97},
        ),
        (
            "TS48V5-SAIP2-3-BERTLV-SUCI-UNIQUE.der",
            "8949449999999990163",
            {0x81, 0x82, 0x83, 0x91, 0x92, 0x95, 0x96, 0x97},
        ),
    ],
)
def test_published_profiles_are_read(test_data: Path, file: str, iccid: str, services: set[int]) -> None:
    """From each published TS.48 profile its ICCIDs, name, services and IMSI are read."""
    profile = parse((test_data / "upp" / file).read_bytes())
    assert profile.header_iccid == Iccid.parse(iccid)
    assert profile.ef_iccid == bytes(Iccid.parse(iccid))
    assert profile.name == "GSMA Generic eUICC Test Profile"
    assert profile.services == services
    assert profile.imsi == "001010123456063"
    assert (profile.gid1, profile.gid2) == (None, None)
    assert profile.has_test_keys


def test_a_made_up_profile_contains_its_parameters() -> None:
    """A made-up profile contains the ICCID, name, IMSI and services of its parameters."""
    profile = parse(PACKAGE)
    assert profile.header_iccid == ICCID
    assert profile.ef_iccid == bytes(ICCID)
    assert profile.name == "Grün & Co"
    assert profile.imsi == "26202123456789"
    assert profile.services == {0x81, 0x84}


@pytest.mark.parametrize("size", [1_800, 2_727, 2_728, 3_001, 12_000, 70_000, 900_000])
def test_made_up_size(size: int) -> None:
    """A made-up profile has exactly the requested size, and can be read."""
    package = made_up_profile(ICCID, size=size)
    assert len(package) == size
    assert parse(package).imsi == "001010123456789"


def test_made_up_smallest() -> None:
    """If the requested size is too small, a made-up profile is larger, but below 1500 bytes."""
    assert len(made_up_profile(ICCID, size=0)) < 1500


@pytest.mark.parametrize("wrong", [{"imsi": "12a456"}, {"imsi": "1234"}, {"name": ""}, {"size": 10**6}])
def test_made_up_out_of_range(wrong: dict[str, str | int]) -> None:
    """A made-up profile with an impossible IMSI, name or size is refused."""
    with pytest.raises(InvalidValue):
        made_up_profile(ICCID, **wrong)  # type: ignore[arg-type]  # one keyword at a time, of its own type


@pytest.mark.parametrize("step", [1, 7, 1007])
def test_pieces_may_end_at_any_byte(step: int) -> None:
    """A package that arrives in pieces of any length is read like the whole one."""
    stream = ProfileStream()
    for start in range(0, len(PACKAGE), step):
        assert not stream.complete
        stream.feed(PACKAGE[start : start + step])
    assert stream.complete
    assert stream.finish() == parse(PACKAGE)


def swapped(first: int, second: int) -> bytes:
    parts = elements()
    parts[first], parts[second] = parts[second], parts[first]
    return b"".join(parts)


@pytest.mark.parametrize(
    ("package", "status"),
    [
        pytest.param(b"".join(elements()[:-1]), PeStatus.INVALID_REQUEST_FORMAT, id="no-end"),
        pytest.param(PACKAGE[:-1], PeStatus.INVALID_REQUEST_FORMAT, id="cut-short"),
        pytest.param(PACKAGE + elements()[1], PeStatus.INVALID_REQUEST_FORMAT, id="after-end"),
        pytest.param(PACKAGE + b"\x00", PeStatus.INVALID_REQUEST_FORMAT, id="byte-after-end"),
        pytest.param(b"".join(elements()[1:]), PeStatus.INVALID_REQUEST_FORMAT, id="no-header"),
        pytest.param(swapped(0, 1), PeStatus.INVALID_REQUEST_FORMAT, id="header-second"),
        pytest.param(swapped(1, 4), PeStatus.INVALID_REQUEST_FORMAT, id="usim-before-mf"),
        pytest.param(elements()[0] + PACKAGE, PeStatus.INVALID_REQUEST_FORMAT, id="two-headers"),
        pytest.param(
            b"".join([*elements()[:2], *elements()[1:]]), PeStatus.BAD_VALUES, id="same-identification"
        ),
        pytest.param(
            elements()[0] + bytes.fromhex("AB0AA00380012A") + bytes(5),
            PeStatus.INVALID_REQUEST_FORMAT,
            id="no-identification",
        ),
        pytest.param(
            elements()[0] + bytes.fromhex("AB05A00381012A"), PeStatus.PE_NOT_SUPPORTED, id="unknown-element"
        ),
        pytest.param(
            elements()[0] + bytes.fromhex("A907A005800081012A"),
            PeStatus.PE_NOT_SUPPORTED,
            id="mandated-non-standard",
        ),
        pytest.param(bytes.fromhex("A003800109"), PeStatus.UNSUPPORTED_PROFILE_VERSION, id="version"),
        pytest.param(b"\x00" * 20, PeStatus.INVALID_REQUEST_FORMAT, id="no-element"),
        pytest.param(bytes.fromhex("A08902") + bytes(20), PeStatus.INVALID_REQUEST_FORMAT, id="no-length"),
    ],
)
def test_broken_packages_are_refused(package: bytes, status: PeStatus) -> None:
    """Each broken package is refused with the status for its mistake."""
    with pytest.raises(ProfileElementError) as caught:
        parse(package)
    assert caught.value.status == status


def test_non_standard_left_out() -> None:
    """An unknown element that is not marked as mandatory is ignored."""
    package = b"".join([*elements()[:-1], bytes.fromhex("A905A00381017F"), elements()[-1]])
    assert parse(package).header_iccid == ICCID


def test_a_missing_service_stops_the_profile() -> None:
    """A profile that requires a service that the card lacks is refused."""
    with pytest.raises(ProfileElementError) as caught:
        parse(PACKAGE, unsupported_services=frozenset({0x84}))
    assert caught.value.status == PeStatus.FEATURE_NOT_SUPPORTED


def test_keys_of_an_operator() -> None:
    """A profile has test keys if its keys are the published ones, and otherwise not."""
    package = PACKAGE.replace(bytes(range(16)), bytes(range(1, 17)))
    assert parse(PACKAGE).has_test_keys
    assert not parse(package).has_test_keys


def test_an_offset_out_of_any_file() -> None:
    """A short package whose file offset would need gigabytes of padding is refused."""
    with pytest.raises(MalformedError):
        parse(FOUND.read_bytes())


def test_group_identifiers_are_read_from_their_files() -> None:
    """GID1 and GID2 are read from the optional files; gaps in a file's content are FF."""
    files = bytes.fromhex("A5068304AABBFFFFA60C820101830101820102830103")
    header = bytes.fromhex("A00481020320")
    package = b"".join([*elements()[:-1], tlv.encode(0xB4, header, files), elements()[-1]])
    profile = parse(package)
    assert (profile.gid1, profile.gid2) == (bytes.fromhex("AABB"), bytes.fromhex("FF01FFFF03"))


def without(*kinds: int) -> bytes:
    """Return the made-up package without the elements with these tags."""
    return b"".join(raw for raw in elements() if raw[0] not in kinds)


def replaced(old: str, new: str) -> bytes:
    """Return the made-up package with some bytes replaced; both are in hexadecimal."""
    assert bytes.fromhex(old) in PACKAGE
    return PACKAGE.replace(bytes.fromhex(old), bytes.fromhex(new))


def with_files(*commands: str) -> bytes:
    """Return the made-up package with one more element that carries out these file commands."""
    managed = tlv.encode(0xA1, tlv.encode(0x30, bytes.fromhex("".join(commands))))
    element = tlv.encode(0xA1, bytes.fromhex("A0058000810122"), managed)
    return b"".join([*elements()[:-1], element, elements()[-1]])


EF = "6213 82024121 83026F7F 8B032F060A 80020010 8800"


@pytest.mark.parametrize(
    ("package", "said"),
    [
        pytest.param(without(0xB2), "there is no directory 3F00/7F10", id="no telecom"),
        pytest.param(with_files("80027F66", EF), "there is no directory 3F00/7F66", id="no such directory"),
        pytest.param(with_files("80047FD05F50", EF), "there is no directory", id="none in the USIM"),
        pytest.param(with_files("80037F1000", EF), "two bytes for each step", id="half a step"),
        pytest.param(with_files("80027F10", EF, EF), "already exists", id="the same file twice"),
        pytest.param(with_files("80027F10", "6208 82024121 83026F7F"), "no size", id="no size"),
        pytest.param(with_files("80027F10", EF.replace("2F060A", "2F060F")), "record 15", id="no such rule"),
        pytest.param(replaced("6F388B036F0602", "6F388B036F0663"), "record 99", id="no rule of the USIM"),
        pytest.param(without(0xA2), "PIN 01", id="no PINs"),
        pytest.param(replaced("C60381010A", "C60382010A"), "PIN 82", id="another PIN"),
    ],
)  # fmt: skip
def test_a_strict_card_refuses_files_without_directory_rule_or_pin(package: bytes, said: str) -> None:
    """A strict card refuses a file with a missing directory, size, rule or PIN; a lenient one does not."""
    with pytest.raises(ProfileElementError, match=said) as caught:
        parse(package)
    assert caught.value.status == PeStatus.INVALID_PARAMETER
    lenient = ProfileStream(strict=False)
    lenient.feed(package)
    assert lenient.finish().header_iccid == ICCID


def test_directories_made_by_file_management() -> None:
    """A package can make a directory and put files into it, with a path relative or from the MF."""
    directory = "6211 82027821 83025F7E 8B032F060E C602010A"
    parse(
        with_files(
            "80027F10", directory, EF.replace("6F7F", "4F01"), "80047F105F7E", EF.replace("6F7F", "4F02")
        )
    )
