"""OBJECT IDENTIFIER."""

from __future__ import annotations

import pytest

from lpad.base.errors import MalformedError
from lpad.codec.asn1 import object_identifier


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("2.999.10", "88370A"),
        ("2.999", "8837"),
        ("1.3.6.1.4.1.31746", "2B0601040181F802"),
        ("2.23.146.1.2.1.0", "67811201020100"),
        ("0.0", "00"),
        ("1.39", "4F"),
        ("2.0", "50"),
    ],
)
def test_there_and_back(text: str, data: str) -> None:
    """Dotted text and bytes convert into each other, for first arcs 0, 1 and 2 and second arcs above 39."""
    assert object_identifier.encode(text).hex().upper() == data
    assert object_identifier.decode(bytes.fromhex(data)) == text


def test_an_identifier_with_a_huge_number_is_malformed() -> None:
    """A number of thousands of digits, which Python would not even print, is malformed."""
    with pytest.raises(MalformedError, match="more than 128 bytes"):
        object_identifier.decode(b"\x2a" + b"\xff" * 3000 + b"\x01")


@pytest.mark.parametrize("data", ["", "88", "2A86"])
def test_a_truncated_identifier_is_malformed(data: str) -> None:
    """An identifier without bytes, or whose last number is incomplete, is malformed."""
    with pytest.raises(MalformedError, match="ends too early"):
        object_identifier.decode(bytes.fromhex(data))
