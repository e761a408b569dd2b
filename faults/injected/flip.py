"""A flip: one wrong bit in the journal's file or its write-ahead log, as in a worn flash chip."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

JOURNAL = "journal.db"
FILES = (JOURNAL, f"{JOURNAL}-wal")
BITS = 8


@dataclass(frozen=True, slots=True)
class Flip:
    """One flip; its text is `file:byte:bit`.

    Attributes:
        file: the name of the file.
        at: the offset of the byte, from 0.
        bit: the bit of the byte, from 0 (the lowest).
    """

    file: str
    at: int
    bit: int

    def __str__(self) -> str:
        return f"{self.file}:{self.at}:{self.bit}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a flip from its text.

        Raises:
            ValueError: the text is not a flip.
        """
        file, at, bit = text.split(":")
        if file not in FILES or int(at) < 0 or not 0 <= int(bit) < BITS:
            raise ValueError(f"{text} is not a flip")
        return cls(file, int(at), int(bit))

    def done_to(self, content: bytes) -> bytes:
        """Return a file's content with the wrong bit in it."""
        flipped = bytearray(content)
        flipped[self.at] ^= 1 << self.bit
        return bytes(flipped)


def chosen(sizes: Mapping[str, int], number: int, seed: int) -> list[Flip]:
    """Return different flips; the same seed always selects the same flips.

    Args:
        sizes: the size in bytes of each file.
        number: the maximum number of flips; all possible flips if there are fewer.
        seed: selects the flips.
    """
    bits = sum(sizes.values()) * BITS
    places = random.Random(f"{seed} flips").sample(range(bits), min(number, bits))  # noqa: S311 - not secret
    return [_flip(sizes, place) for place in places]


def _flip(sizes: Mapping[str, int], place: int) -> Flip:
    at, bit = divmod(place, BITS)
    for file, size in sizes.items():
        if at < size:
            return Flip(file, at, bit)
        at -= size
    raise IndexError(place)
