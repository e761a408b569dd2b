"""BER-TLV that keeps the raw bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lpad.base.errors import MalformedError
from lpad.codec.asn1 import tlv

TAGS = st.one_of(
    st.integers(0x01, 0xFF).filter(lambda tag: tag & 0x1F != 0x1F),
    st.integers(0x1F, 0x7F).map(lambda low: 0xBF00 | low),
    st.integers(0, 0x7F).map(lambda low: 0x5F8100 | low),
)


@given(tag=TAGS, parts=st.lists(st.binary(max_size=200), max_size=3))
def test_there_and_back(tag: int, parts: list[bytes]) -> None:
    """Encoded elements are read back: tag, value, raw bytes and header."""
    raw = tlv.encode(tag, *parts)
    element = tlv.parse(raw)
    assert (element.tag, element.value, element.raw) == (tag, b"".join(parts), raw)
    assert element.header + element.value == raw


@given(st.lists(st.tuples(TAGS, st.binary(max_size=300)), max_size=5))
def test_sequences_keep_their_order(items: list[tuple[int, bytes]]) -> None:
    """Elements that follow each other are read one by one, and nothing is lost between them."""
    data = b"".join(tlv.encode(tag, value) for tag, value in items)
    elements = tlv.parse_all(data)
    assert [(element.tag, element.value) for element in elements] == items
    assert b"".join(element.raw for element in elements) == data


@pytest.mark.parametrize(
    ("length", "header"),
    [(0, "3000"), (127, "307F"), (128, "308180"), (255, "3081FF"), (256, "30820100"), (65536, "3083010000")],
)
def test_lengths_take_the_shortest_form(length: int, header: str) -> None:
    """Each length is written in as few bytes as possible."""
    assert tlv.encode(0x30, bytes(length))[: len(header) // 2].hex().upper() == header


def test_longer_length_forms_survive() -> None:
    """A length in more bytes than needed is accepted, and kept unchanged because it may be signed."""
    raw = bytes.fromhex("30820003020105")
    assert tlv.parse(raw).value == bytes.fromhex("020105")
    assert tlv.parse(raw).raw == raw
    assert tlv.parse(raw).header.hex() == "30820003"


def test_a_missing_child_names_both_tags() -> None:
    """A child is found by its tag; asking for one that is missing names both tags."""
    element = tlv.parse(bytes.fromhex("BF2D07A005E303950102"))
    profile = element.get(0xA0).get(0xE3)
    assert profile.get(0x95).value == b"\x02"
    assert profile.find(0x5A) is None
    with pytest.raises(MalformedError, match="E3 lacks the mandatory element 5A"):
        profile.get(0x5A)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("", "ends inside its tag"),
        ("30", "ends inside its tag or before its length"),
        ("BF", "ends inside its tag"),
        ("BF2D", "before its length"),
        ("BF2D82", "inside its length"),
        ("300502", "announces 5 bytes, but only 1 follow"),
        ("308002010000", "DER forbids"),
        ("30850000000001", "DER forbids"),
        ("5F8182838400", "tag is longer"),
        ("020100FF", "1 bytes follow"),
    ],
)
def test_broken_elements_are_named(data: str, said: str) -> None:
    """An element that is cut short, too long or of indefinite length leads to an error that names this."""
    with pytest.raises(MalformedError, match=said):
        tlv.parse(bytes.fromhex(data))


def test_first_and_rest() -> None:
    """The first element is separated from the bytes behind it."""
    element, rest = tlv.parse_first(bytes.fromhex("020105FF"))
    assert (element.value, rest) == (b"\x05", b"\xff")


@given(st.binary(max_size=300))
def test_garbage_is_malformed(data: bytes) -> None:
    """Any bytes are parsed or raise MalformedError; the raw bytes of parsed elements are the given ones."""
    try:
        elements = tlv.parse_all(data)
    except MalformedError:
        return
    assert b"".join(element.raw for element in elements) == data


def test_many_small_elements_are_read_in_one_pass() -> None:
    """A server cannot keep lpad busy with a megabyte of empty elements."""
    assert len(tlv.parse_all(bytes.fromhex("8600") * 300_000)) == 300_000
