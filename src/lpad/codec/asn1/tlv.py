"""BER-TLV with the raw bytes: received data is cut and joined, but never re-encoded.

Signed data stays exactly the bytes that were received: sign, verify, store and forward `raw`. ITU-T
X.690, 8.1; tags up to 4 bytes, definite lengths only (DER).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.base.errors import MalformedError
from lpad.base.frozen import Frozen

if TYPE_CHECKING:
    from collections.abc import Iterator

_MORE_TAG_BYTES = 0x1F
_LONGEST_TAG = 4
_LONGEST_LENGTH = 4
_LONGEST_HEADER = _LONGEST_TAG + 1 + _LONGEST_LENGTH


class Tlv(Frozen):
    """One element: `tag` is the number that its bytes form (0x5A, 0xBF2D), `raw` the whole element."""

    tag: int
    value: bytes
    raw: bytes

    @property
    def header(self) -> bytes:
        """The tag and length bytes as received."""
        return self.raw[: len(self.raw) - len(self.value)]

    def children(self) -> tuple[Tlv, ...]:
        """Return the elements in the value.

        Raises:
            MalformedError: the value is not a sequence of elements.
        """
        return parse_all(self.value)

    def find(self, tag: int) -> Tlv | None:
        """Return the first child with `tag`; None if there is none."""
        return next((child for child in self.children() if child.tag == tag), None)

    def get(self, tag: int) -> Tlv:
        """Return the first child with `tag`.

        Raises:
            MalformedError: the element has no such child, or its value is not a sequence of elements.
        """
        child = self.find(tag)
        if child is None:
            raise MalformedError(f"element {self.tag:02X} lacks the mandatory element {tag:02X}")
        return child


def parse(data: bytes) -> Tlv:
    """Return the one element that fills `data`.

    Raises:
        MalformedError: the element is incomplete, or other bytes follow.
    """
    tlv, rest = parse_first(data)
    if rest:
        raise MalformedError(f"{len(rest)} bytes follow element {tlv.tag:02X}")
    return tlv


def parse_first(data: bytes) -> tuple[Tlv, bytes]:
    """Return the first element and the bytes after it.

    Raises:
        MalformedError: the element is incomplete, has an indefinite length, or an implausibly long
            tag or length.
    """
    tlv = element_at(data, 0)
    return tlv, data[len(tlv.raw) :]


def parse_all(data: bytes) -> tuple[Tlv, ...]:
    """Return the elements that fill `data`, in order; none for empty data.

    Raises:
        MalformedError: as in `parse_first`, for any of the elements.
    """
    return tuple(_elements(data))


def element_at(data: bytes, start: int) -> Tlv:
    """Return the element that begins at the offset `start` of `data`; more bytes may follow it.

    Raises:
        MalformedError: as in `parse_first`.
    """
    tag, header, length = _header(data[start : start + _LONGEST_HEADER])
    end = start + header + length
    if end > len(data):
        raise MalformedError(
            f"element {tag:02X} announces {length} bytes, but only {len(data) - start - header} follow"
        )
    return Tlv(tag, data[start + header : end], data[start:end])


def encode(tag: int, *parts: bytes) -> bytes:
    """Return an element: the tag, the shortest definite length, and the joined parts as value."""
    value = b"".join(parts)
    return tag_bytes(tag) + encode_length(len(value)) + value


def tag_bytes(tag: int) -> bytes:
    """Return the bytes of `tag`."""
    return tag.to_bytes((tag.bit_length() + 7) // 8 or 1, "big")


def encode_length(length: int) -> bytes:
    """Return the shortest definite form of `length` (X.690, 10.1)."""
    if length < 0x80:
        return bytes([length])
    digits = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([0x80 | len(digits)]) + digits


def _elements(data: bytes) -> Iterator[Tlv]:
    # This uses offsets instead of copying the remaining bytes each time: the time for a megabyte of tiny
    # elements must not grow with the square of their number.
    offset = 0
    while offset < len(data):
        tlv = element_at(data, offset)
        yield tlv
        offset += len(tlv.raw)


def _header(data: bytes) -> tuple[int, int, int]:
    """Return tag, header length and value length."""
    tag_length = 1
    if data and data[0] & _MORE_TAG_BYTES == _MORE_TAG_BYTES:
        while tag_length < len(data) and data[tag_length] & 0x80:
            tag_length += 1
        tag_length += 1
    if tag_length > _LONGEST_TAG:
        raise MalformedError(f"a tag is longer than {_LONGEST_TAG} bytes")
    if len(data) <= tag_length:
        raise MalformedError("an element ends inside its tag or before its length")
    tag = int.from_bytes(data[:tag_length], "big")
    first = data[tag_length]
    if first < 0x80:
        return tag, tag_length + 1, first
    count = first & 0x7F
    if not 0 < count <= _LONGEST_LENGTH:
        raise MalformedError(f"element {tag:02X} has a length form that DER forbids")
    header = tag_length + 1 + count
    if len(data) < header:
        raise MalformedError(f"element {tag:02X} ends inside its length")
    return tag, header, int.from_bytes(data[tag_length + 1 : header], "big")
