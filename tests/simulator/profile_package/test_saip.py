"""Profile packages as a card reads them: published ones, made-up ones, broken ones."""

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
def test_published(test_data: Path, file: str, iccid: str, services: set[int]) -> None:
    """The TS.48 test profiles are read, their header and EF.ICCID agree."""
    profile = parse((test_data / "upp" / file).read_bytes())
    assert profile.header_iccid == Iccid.parse(iccid)
    assert profile.ef_iccid == bytes(Iccid.parse(iccid))
    assert profile.name == "GSMA Generic eUICC Test Profile"
    assert profile.services == services
    assert profile.imsi == "001010123456063"
    assert (profile.gid1, profile.gid2) == (None, None)
    assert profile.has_test_keys


def test_made_up() -> None:
    """A made-up profile says what it was made with."""
    profile = parse(PACKAGE)
    assert profile.header_iccid == ICCID
    assert profile.ef_iccid == bytes(ICCID)
    assert profile.name == "Grün & Co"
    assert profile.imsi == "26202123456789"
    assert profile.services == {0x81, 0x84}


@pytest.mark.parametrize("size", [1_300, 1_727, 1_728, 3_001, 12_000, 70_000])
def test_made_up_size(size: int) -> None:
    """A made-up profile has the size that was asked for."""
    package = made_up_profile(ICCID, size=size)
    assert len(package) == size
    assert parse(package).imsi == "001010123456789"


def test_made_up_smallest() -> None:
    """Asked for too little, a made-up profile has no filler."""
    assert len(made_up_profile(ICCID, size=0)) < 700


@pytest.mark.parametrize("wrong", [{"imsi": "12a456"}, {"imsi": "1234"}, {"name": ""}, {"size": 10**6}])
def test_made_up_out_of_range(wrong: dict[str, str | int]) -> None:
    """IMSI, name and size are held to their ranges."""
    with pytest.raises(InvalidValue):
        made_up_profile(ICCID, **wrong)  # type: ignore[arg-type]  # one keyword at a time, of its own type


@pytest.mark.parametrize("step", [1, 7, 1007])
def test_pieces(step: int) -> None:
    """The pieces may end anywhere."""
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
def test_broken(package: bytes, status: PeStatus) -> None:
    """A package that is out of order, incomplete or unsupported is refused with the element's status."""
    with pytest.raises(ProfileElementError) as caught:
        parse(package)
    assert caught.value.status == status


def test_non_standard_left_out() -> None:
    """An element that nobody knows and nobody mandates is passed over."""
    package = b"".join([*elements()[:-1], bytes.fromhex("A905A00381017F"), elements()[-1]])
    assert parse(package).header_iccid == ICCID


def test_missing_service() -> None:
    """A service that the card lacks stops a profile that needs it."""
    with pytest.raises(ProfileElementError) as caught:
        parse(PACKAGE, unsupported_services=frozenset({0x84}))
    assert caught.value.status == PeStatus.FEATURE_NOT_SUPPORTED


def test_keys_of_an_operator() -> None:
    """Other than test keys are told from test keys."""
    package = PACKAGE.replace(bytes(range(16)), bytes(range(1, 17)))
    assert parse(PACKAGE).has_test_keys
    assert not parse(package).has_test_keys


def test_an_offset_out_of_any_file() -> None:
    """A few bytes that ask for gigabytes of padding get none."""
    with pytest.raises(MalformedError):
        parse(FOUND.read_bytes())


def test_group_identifiers() -> None:
    """Group identifiers are found in the optional files, offsets in a file read as FF."""
    files = bytes.fromhex("A5068304AABBFFFFA60C820101830101820102830103")
    header = bytes.fromhex("A00481020320")
    package = b"".join([*elements()[:-1], tlv.encode(0xB4, header, files), elements()[-1]])
    profile = parse(package)
    assert (profile.gid1, profile.gid2) == (bytes.fromhex("AABB"), bytes.fromhex("FF01FFFF03"))
