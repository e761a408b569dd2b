"""OBJECT IDENTIFIER: dotted text and the bytes of ITU-T X.690, 8.19."""

from __future__ import annotations

from lpad.base.errors import MalformedError

LONGEST = 128
"""The longest accepted identifier, in bytes; the longest assigned ones have about thirty."""


def encode(text: str) -> bytes:
    """Return the content bytes of a dotted object identifier of at least two arcs."""
    first, second, *rest = (int(part) for part in text.split("."))
    data = bytearray()
    for number in (first * 40 + second, *rest):
        digits = [number & 0x7F]
        while number := number >> 7:
            digits.append(number & 0x7F | 0x80)
        data += bytes(reversed(digits))
    return bytes(data)


def decode(data: bytes) -> str:
    """Return the dotted form of content bytes.

    The first number contains two arcs, and under arc 2 the second arc has no limit: 88 37 is 2.999,
    which some libraries read as 26.39.

    Raises:
        MalformedError: there are no bytes or too many, or the last number ends too early.
    """
    if not data or data[-1] & 0x80:
        raise MalformedError("an object identifier ends too early")
    if len(data) > LONGEST:
        raise MalformedError(f"an object identifier has more than {LONGEST} bytes")
    numbers = []
    number = 0
    for byte in data:
        number = number << 7 | byte & 0x7F
        if not byte & 0x80:
            numbers.append(number)
            number = 0
    first = min(numbers[0] // 40, 2)
    return ".".join(map(str, (first, numbers[0] - first * 40, *numbers[1:])))
