"""BIT STRINGs whose bits have names: (bytes, number of bits); bit 0 is the highest of the first byte."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

BitString = tuple[bytes, int]


MOST = 256
"""The maximum number of bits to read: SGP.22 names about thirty, but a card may send a hundred thousand."""


def numbers(value: BitString) -> tuple[int, ...]:
    """Return the numbers of the set bits, in order, among the first `MOST` bits."""
    data, count = value
    known = min(count, 8 * len(data), MOST)
    return tuple(bit for bit in range(known) if data[bit // 8] >> (7 - bit % 8) & 1)


def names(value: BitString, vocabulary: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the set bits; a bit without a name, such as 12, is called "bit12"."""
    return tuple(vocabulary[bit] if bit < len(vocabulary) else f"bit{bit}" for bit in numbers(value))


def of(bits: Iterable[int]) -> BitString:
    """Return the BIT STRING with these bits set, without trailing zeros, as DER requires (X.690, 11.2.2)."""
    wanted = set(bits)
    count = max(wanted, default=-1) + 1
    length = (count + 7) // 8
    whole = sum(1 << (8 * length - 1 - bit) for bit in wanted)
    return whole.to_bytes(length, "big"), count
