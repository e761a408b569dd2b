"""A bound profile package: checked as a whole, then cut into the segments for a card (SGP.22 v2.5, 2.5.5).

    BF36 ├ BF23          InitialiseSecureChannel
         ├ A0 of 87...   ConfigureISDP
         ├ A1 of 88...   StoreMetadata, readable
         ├ A2 of 87...   ReplaceSessionKeys, may be missing
         └ A3 of 86...   LoadProfileElements

A card processes the segments one by one and keeps those before a fault. So lpad checks the structure before
it sends the first byte, and a wrong package never reaches the card.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct

from lpad.base.errors import MalformedError
from lpad.base.frozen import Frozen
from lpad.base.identifiers import TransactionId
from lpad.codec.asn1 import tlv
from lpad.codec.messages.metadata import ProfileMetadata

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAC_LENGTH = 8


class SegmentKind(StrEnum):
    """The ES8+ command that a segment belongs to."""

    INITIALISE_SECURE_CHANNEL = "initialiseSecureChannel"
    CONFIGURE_ISDP = "configureISDP"
    STORE_METADATA = "storeMetadata"
    REPLACE_SESSION_KEYS = "replaceSessionKeys"
    LOAD_PROFILE_ELEMENTS = "loadProfileElements"


class Segment(Struct, frozen=True):
    """The content of one chain of STORE DATA blocks; block numbers restart with each chain."""

    kind: SegmentKind
    data: bytes


class _Part(Struct, frozen=True):
    """A sequence inside the package: `alone` means that its header is a segment of its own."""

    kind: SegmentKind
    tag: int
    element: int
    alone: bool
    optional: bool = False


_INITIALISE_SECURE_CHANNEL = 0xBF23
_PARTS = (
    _Part(SegmentKind.CONFIGURE_ISDP, 0xA0, 0x87, alone=False),
    _Part(SegmentKind.STORE_METADATA, 0xA1, 0x88, alone=True),
    _Part(SegmentKind.REPLACE_SESSION_KEYS, 0xA2, 0x87, alone=False, optional=True),
    _Part(SegmentKind.LOAD_PROFILE_ELEMENTS, 0xA3, 0x86, alone=True),
)


class BoundProfile(Frozen):
    """A package with a valid structure.

    `metadata` is the content of the 88 elements: the card will store it, even if the server sent different
    metadata before. Only the card can check the MACs of these elements, and the encrypted parts.
    """

    transaction_id: TransactionId
    metadata: ProfileMetadata
    segments: tuple[Segment, ...]

    @classmethod
    def parse(cls, raw: bytes) -> BoundProfile:
        """Read and check a BoundProfilePackage.

        Raises:
            MalformedError: an element is missing, in the wrong place, of the wrong kind or length, or
                bytes follow the package; the error's sentence names the fault.
        """
        package = tlv.parse(raw)
        if package.tag != 0xBF36:
            raise MalformedError(f"a bound profile package must be an element BF36, not {package.tag:02X}")
        first, *rest = package.children() or (package,)
        if first.tag != _INITIALISE_SECURE_CHANNEL:
            raise MalformedError("a bound profile package must begin with BF23 (InitialiseSecureChannel)")
        segments = [Segment(SegmentKind.INITIALISE_SECURE_CHANNEL, package.header + first.raw)]
        metadata = b""
        for part, sequence in _matched(rest):
            elements = _elements(part, sequence)
            segments += _segments(part, sequence, elements)
            if part.kind is SegmentKind.STORE_METADATA:
                metadata = b"".join(map(_without_mac, elements))
        return cls(
            transaction_id=TransactionId(first.get(0x80).value),
            metadata=ProfileMetadata.decode(metadata),
            segments=tuple(segments),
        )

    @property
    def length(self) -> int:
        """The total number of bytes in all segments, for the progress report."""
        return sum(len(segment.data) for segment in self.segments)


def _matched(sequences: list[tlv.Tlv]) -> Iterator[tuple[_Part, tlv.Tlv]]:
    """Yield each expected part with its sequence, in order."""
    left = list(sequences)
    for part in _PARTS:
        if left and left[0].tag == part.tag:
            yield part, left.pop(0)
        elif not part.optional:
            raise MalformedError(f"the bound profile package lacks {part.tag:02X} ({part.kind}) in its place")
    if left:
        raise MalformedError(f"the bound profile package has an element {left[0].tag:02X} after its end")


def _elements(part: _Part, sequence: tlv.Tlv) -> tuple[tlv.Tlv, ...]:
    elements = sequence.children()
    if not elements:
        raise MalformedError(f"the bound profile package's {part.tag:02X} ({part.kind}) is empty")
    for element in elements:
        if element.tag != part.element:
            raise MalformedError(
                f"the bound profile package's {part.tag:02X} ({part.kind}) contains an element"
                f" {element.tag:02X} instead of {part.element:02X}"
            )
    return elements


def _segments(part: _Part, sequence: tlv.Tlv, elements: tuple[tlv.Tlv, ...]) -> list[Segment]:
    pieces = [element.raw for element in elements]
    if part.alone:
        pieces.insert(0, sequence.header)
    else:
        pieces[0] = sequence.header + pieces[0]
    return [Segment(part.kind, piece) for piece in pieces]


def _without_mac(element: tlv.Tlv) -> bytes:
    if len(element.value) < _MAC_LENGTH:
        raise MalformedError("an element 88 is too short for its MAC")
    return element.value[:-_MAC_LENGTH]
