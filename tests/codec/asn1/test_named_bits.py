"""BIT STRINGs whose bits have names."""

from __future__ import annotations

import pytest

from lpad.codec.asn1 import der, named_bits


@pytest.mark.parametrize(
    ("bits", "encoded"),
    [((0,), "0780"), ((1,), "0640"), ((2,), "0520"), ((3,), "0410"), ((0, 1, 2, 3), "04F0"), ((), "00")],
)
def test_bits_are_trimmed(bits: tuple[int, ...], encoded: str) -> None:
    """Zeros at the end are omitted from the bit strings that lpad sends."""
    raw = der.encode("ListNotificationRequest", {"profileManagementOperation": named_bits.of(bits)})
    assert raw[5:].hex().upper() == encoded


@pytest.mark.parametrize("encoded", ["0780", "0080", "0480", "008000", "07FF"])
def test_all_spellings_of_one_bit(encoded: str) -> None:
    """Zeros at the end, whole bytes, and garbage in unused bits do not alter the set bits that are read."""
    content = bytes.fromhex(encoded)
    raw = bytes.fromhex("BF28") + bytes([len(content) + 2, 0x81, len(content)]) + content
    value = der.decode("ListNotificationRequest", raw)["profileManagementOperation"]
    assert named_bits.numbers(value) == (0,)


def test_bits_have_names_or_their_numbers() -> None:
    """A bit is called by its name in the vocabulary; a bit beyond the vocabulary, by its number."""
    assert named_bits.names((b"\xa0\x08", 13), ("first", "second", "third")) == ("first", "third", "bit12")


def test_numbers_within_the_bytes() -> None:
    """If the bit count exceeds the bytes, nothing beyond their end is read."""
    assert named_bits.numbers((b"\x01", 30)) == (7,)


def test_bits_without_a_name_are_not_read() -> None:
    """Of a hundred thousand bits, only those that can have a name are read, so that memory does not fill."""
    value = (b"\xff" * 12_500, 100_000)
    assert named_bits.numbers(value) == tuple(range(named_bits.MOST))
    assert len(named_bits.names(value, ("first",))) == named_bits.MOST
