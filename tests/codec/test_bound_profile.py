"""Bound profile packages: checked, then cut into segments."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lpad.base.errors import MalformedError
from lpad.codec.asn1 import tlv
from lpad.codec.bound_profile import BoundProfile, SegmentKind

if TYPE_CHECKING:
    from pathlib import Path

TRANSACTION_ID = bytes.fromhex("0102030405060708")
SECURE_CHANNEL = tlv.encode(
    0xBF23,
    bytes.fromhex("820101"),
    tlv.encode(0x80, TRANSACTION_ID),
    tlv.encode(0xA6, bytes.fromhex("800188 810110 840474657374")),
    tlv.encode(0x5F49, b"\x04" + bytes(64)),
    tlv.encode(0x5F37, bytes(64)),
)
MAC = bytes(8)
METADATA = tlv.encode(
    0xBF25,
    tlv.encode(0x5A, bytes.fromhex("98001032547698103214")),
    tlv.encode(0x91, b"Operator"),
    tlv.encode(0x92, b"Profile"),
)
CONFIGURE = tlv.encode(0x87, bytes(24))
STORE = tlv.encode(0x88, METADATA, MAC)
KEYS = tlv.encode(0x87, bytes(72))
LOAD = [tlv.encode(0x86, bytes(1016)), tlv.encode(0x86, bytes(100))]


def package(*parts: bytes) -> bytes:
    return tlv.encode(0xBF36, *parts)


def a0(*parts: bytes) -> bytes:
    return tlv.encode(0xA0, *parts)


def a1(*parts: bytes) -> bytes:
    return tlv.encode(0xA1, *parts)


def a2(*parts: bytes) -> bytes:
    return tlv.encode(0xA2, *parts)


def a3(*parts: bytes) -> bytes:
    return tlv.encode(0xA3, *parts)


WHOLE = package(SECURE_CHANNEL, a0(CONFIGURE), a1(STORE), a2(KEYS), a3(*LOAD))


def test_a_package_is_cut_into_segments() -> None:
    """A package is cut as cards require: A0 and A2 with their first element, A1 and A3 alone."""
    bound = BoundProfile.parse(WHOLE)
    whole = tlv.parse(WHOLE)
    assert [(segment.kind, segment.data) for segment in bound.segments] == [
        (SegmentKind.INITIALISE_SECURE_CHANNEL, whole.header + SECURE_CHANNEL),
        (SegmentKind.CONFIGURE_ISDP, a0(CONFIGURE)),
        (SegmentKind.STORE_METADATA, tlv.parse(a1(STORE)).header),
        (SegmentKind.STORE_METADATA, STORE),
        (SegmentKind.REPLACE_SESSION_KEYS, a2(KEYS)),
        (SegmentKind.LOAD_PROFILE_ELEMENTS, tlv.parse(a3(*LOAD)).header),
        (SegmentKind.LOAD_PROFILE_ELEMENTS, LOAD[0]),
        (SegmentKind.LOAD_PROFILE_ELEMENTS, LOAD[1]),
    ]
    assert bound.length == len(WHOLE)
    assert bytes(bound.transaction_id) == TRANSACTION_ID


def test_without_replaced_keys() -> None:
    """A package without A2, whose profile is protected with the session's keys, has no segment for keys."""
    bound = BoundProfile.parse(package(SECURE_CHANNEL, a0(CONFIGURE), a1(STORE), a3(*LOAD)))
    assert SegmentKind.REPLACE_SESSION_KEYS not in {segment.kind for segment in bound.segments}


def test_a_second_87_is_a_segment_of_its_own() -> None:
    """A second element 87 in A0 is sent as a segment of its own; only the first is sent with the header."""
    bound = BoundProfile.parse(package(SECURE_CHANNEL, a0(CONFIGURE, KEYS), a1(STORE), a3(*LOAD)))
    assert [segment.data for segment in bound.segments[1:3]] == [a0(CONFIGURE, KEYS)[: -len(KEYS)], KEYS]


def test_metadata_in_two_parts() -> None:
    """Metadata that are split over several elements 88 are joined, without the MACs."""
    parts = [tlv.encode(0x88, METADATA[:20], MAC), tlv.encode(0x88, METADATA[20:], MAC)]
    bound = BoundProfile.parse(package(SECURE_CHANNEL, a0(CONFIGURE), a1(*parts), a3(*LOAD)))
    assert bound.metadata.raw == METADATA
    assert bound.metadata.name == "Profile"
    assert [segment.data for segment in bound.segments[3:5]] == parts


def test_lengths_longer_than_needed_are_kept() -> None:
    """Headers reach the card unchanged, whatever their form."""
    content = SECURE_CHANNEL + a0(CONFIGURE) + a1(STORE) + a3(*LOAD)
    raw = bytes.fromhex("BF3684") + len(content).to_bytes(4, "big") + content
    bound = BoundProfile.parse(raw)
    assert b"".join(segment.data for segment in bound.segments) == raw


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "ends inside its tag"),
        (tlv.encode(0xBF37), "BF36, not BF37"),
        (package(), "begin with BF23"),
        (package(a0(CONFIGURE), a1(STORE), a3(*LOAD)), "begin with BF23"),
        (package(SECURE_CHANNEL), "lacks A0"),
        (package(SECURE_CHANNEL, a1(STORE), a3(*LOAD)), "lacks A0"),
        (package(SECURE_CHANNEL, a0(CONFIGURE), a3(*LOAD)), "lacks A1"),
        (package(SECURE_CHANNEL, a0(CONFIGURE), a1(STORE)), "lacks A3"),
        (package(SECURE_CHANNEL, a0(CONFIGURE), a1(STORE), a3(*LOAD), a2(KEYS)), "A2 after its end"),
        (package(SECURE_CHANNEL, a1(STORE), a0(CONFIGURE), a3(*LOAD)), "lacks A0"),
        (package(SECURE_CHANNEL, a0(CONFIGURE), a1(STORE), a3()), "A3 .* is empty"),
        (package(SECURE_CHANNEL, a0(), a1(STORE), a3(*LOAD)), "A0 .* is empty"),
        (package(SECURE_CHANNEL, a0(CONFIGURE), a1(), a3(*LOAD)), "A1 .* is empty"),
        (package(SECURE_CHANNEL, a0(CONFIGURE), a1(STORE), a2(), a3(*LOAD)), "A2 .* is empty"),
        (package(SECURE_CHANNEL, a0(CONFIGURE), a1(STORE), a3(*LOAD, STORE)), "an element 88 instead of 86"),
        (package(SECURE_CHANNEL, a0(STORE), a1(STORE), a3(*LOAD)), "an element 88 instead of 87"),
        (
            package(SECURE_CHANNEL, a0(CONFIGURE), a1(tlv.encode(0x88, b"1")), a3(*LOAD)),
            "too short for its MAC",
        ),
        (package(SECURE_CHANNEL, a0(CONFIGURE), a1(tlv.encode(0x88, MAC)), a3(*LOAD)), "ends inside"),
        (package(tlv.encode(0xBF23), a0(CONFIGURE), a1(STORE), a3(*LOAD)), "lacks the mandatory element 80"),
        (WHOLE + b"\x00", "1 bytes follow"),
        (WHOLE[:-1], "announces"),
        (bytes.fromhex("BF36820FFF") + WHOLE[5:], "announces 4095 bytes"),
    ],
)
def test_wrong_structure_is_found_before_anything_is_sent(raw: bytes, said: str) -> None:
    """A package with a missing, misplaced, unknown, short or long part is refused; the error names it."""
    with pytest.raises(MalformedError, match=said):
        BoundProfile.parse(raw)


@given(position=st.integers(0, len(WHOLE) - 1), byte=st.integers(0, 255))
def test_a_damaged_package_is_malformed_or_whole(position: int, byte: int) -> None:
    """A package with one changed byte is refused, or its segments together are the whole package."""
    damaged = WHOLE[:position] + bytes([byte]) + WHOLE[position + 1 :]
    try:
        bound = BoundProfile.parse(damaged)
    except MalformedError:
        return
    assert b"".join(segment.data for segment in bound.segments) == damaged


@pytest.mark.test_data
@pytest.mark.parametrize("number", [1, 2])
def test_published_packages_are_cut_as_published(test_data: Path, number: int) -> None:
    """Packages of real servers are cut into the segments that were published with them."""
    raw = base64.b64decode((test_data / "bpp" / f"bpp-{number}.b64").read_text())
    lines = (test_data / "bpp" / f"segments-{number}.b64").read_text().split("\n")
    wanted = [bytes.fromhex(line) for line in lines if line and not line.startswith("#")]
    assert [segment.data for segment in BoundProfile.parse(raw).segments] == wanted


@pytest.mark.test_data
def test_published_metadata_are_read(test_data: Path) -> None:
    """The metadata of a real package are read, including fields that lpad does not use."""
    raw = base64.b64decode((test_data / "bpp" / "bpp-2.b64").read_text())
    metadata = BoundProfile.parse(raw).metadata
    assert (str(metadata.iccid), metadata.name) == ("89852245280007179998", "RedteaGO")
    assert metadata.owner is not None
    assert (metadata.owner.mcc, metadata.owner.mnc) == ("454", "12")
    assert [target.events for target in metadata.notification_targets] == [
        ("enable",),
        ("disable",),
        ("delete",),
    ]
