"""Reading of partly broken lists: readable items are returned, and other bytes are kept separately.

Some cards omit the list's own element, put unknown elements between the items, add padding, or give a wrong
length so that one item includes its neighbour. A parser that stops at the first unexpected byte would lose
the profile that the device depends on.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING

from msgspec import Struct

from lpad.base.errors import MalformedError
from lpad.base.frozen import Frozen
from lpad.codec.asn1 import tlv

if TYPE_CHECKING:
    from collections.abc import Callable

_LIST = 0xA0
_REFUSAL = 0x81
_LONGEST_CODE = 8
_LONGEST_LENGTH = 5
_MOST_IN_A_GAP = 32
"""The maximum number of elements of one gap to keep separately; a card must not fill the memory."""
_CONTEXT_CLASS = 0x80
_CLASS_BITS = 0xC0
_PADDING = b"\x00\xff"
"""Bytes without meaning that may be between elements (ISO/IEC 7816-4, 5.2.2.1)."""
_DEEPEST = 8
"""The maximum number of levels of nested items; a card needs at most one."""


class Salvaged(Struct, frozen=True):
    """The items of a list in the card's order, and the unreadable rest.

    `items` are unchanged elements; `odd` contains each element, or run of bytes, that could not be read as an
    item.
    """

    items: tuple[tlv.Tlv, ...]
    odd: tuple[bytes, ...]


def whole_children(data: bytes) -> tuple[tuple[tlv.Tlv, ...], bytes]:
    """Return the elements at the beginning of `data`, and the bytes from the first unreadable element on."""
    found = []
    at = 0
    while at < len(data):
        try:
            element = tlv.element_at(data, at)
        except MalformedError:
            break
        found.append(element)
        at += len(element.raw)
    return tuple(found), data[at:]


def is_padding(data: bytes) -> bool:
    """Return whether `data` contains only padding: any number of 00 and FF."""
    return not data.strip(_PADDING)


def element_of(data: bytes) -> bytes:
    """Return the element at the beginning of `data`, without the bytes after it.

    If no element begins there, return all of `data`.
    """
    try:
        return tlv.parse_first(data)[0].raw
    except MalformedError:
        return data


class Sureness(Enum):
    """The degree of certainty that bytes which begin like an item are an item."""

    NONE = auto()
    PERHAPS = auto()
    SURE = auto()


class ListOf(Frozen):
    """The expected form of a card's list: `tag`, which contains A0, which contains the items.

    `sureness` returns how certain it is that an element is an item that can be read at least in part; lpad
    calls it at each byte of a broken part. `nests` means that items may contain other items by mistake, and
    that nothing else in an item begins like an item.
    """

    name: str
    tag: int
    item_tags: tuple[int, ...]
    sureness: Callable[[tlv.Tlv], Sureness]
    nests: bool = False

    def read(self, answer: bytes) -> Salvaged | int:
        """Return the items in a card's answer, or the code with which the card refuses to list anything.

        Any length may be wrong, and A0 may be missing.

        Raises:
            MalformedError: the answer is neither a list nor a refusal.
        """
        content, cut = self._content(answer)
        salvaged = _Salvage(self).read(content, cut=cut)
        children, rest = whole_children(content)
        if salvaged.items or not children or any(each.tag in (_LIST, *self.item_tags) for each in children):
            return salvaged
        first = children[0]
        if first.tag == _REFUSAL and first.value and is_padding(rest):
            return int.from_bytes(first.value[:_LONGEST_CODE], "big")
        if first.raw[0] & _CLASS_BITS == _CONTEXT_CLASS:
            raise MalformedError(f"{self.name} contains the unknown alternative {first.tag:02X}")
        return salvaged

    def _content(self, answer: bytes) -> tuple[bytes, bool]:
        """Return the content of the answer, and whether the announced length exceeds this content."""
        head = tlv.tag_bytes(self.tag)
        if not answer.startswith(head) or len(answer) == len(head):
            raise MalformedError(f"the answer is not of type {self.name}")
        content = answer[len(head) + _size_of_length(answer[len(head)]) :]
        return content, _element(answer, 0) is None


class _Salvage:
    def __init__(self, list_of: ListOf) -> None:
        self._list = list_of
        self._heads = tuple(map(tlv.tag_bytes, list_of.item_tags))
        self._items: list[tlv.Tlv] = []
        self._odd: list[bytes] = []

    def read(self, content: bytes, *, cut: bool) -> Salvaged:
        self._scan(content, depth=0)
        if cut and not self._odd:
            self._odd.append(b"")  # the end of the answer is missing
        return Salvaged(tuple(self._items), tuple(self._odd))

    def _scan(self, data: bytes, *, depth: int) -> None:
        """Collect the items one after another; in broken parts, search for an item at each byte."""
        at = gap = 0
        while at < len(data):
            element = self._item(data, at)
            if element is None:
                at += 1
                continue
            self._gap(data, gap, at)
            at = gap = at + len(element.raw)
            self._items.append(element)
            for child in whole_children(element.value)[0] if self._list.nests else ():
                if child.raw.startswith(self._heads):
                    self._scan(child.raw, depth=depth + 1) if depth < _DEEPEST else self._odd.append(
                        child.raw
                    )
        self._gap(data, gap, len(data))

    def _item(self, data: bytes, at: int) -> tlv.Tlv | None:
        if not data.startswith(self._heads, at):
            return None
        element = _element(data, at)
        if element is None:
            return None
        sureness = self._list.sureness(element)
        if sureness is Sureness.NONE or self._swallows(data, at, element, sureness):
            return None
        return element

    def _swallows(self, data: bytes, at: int, element: tlv.Tlv, sureness: Sureness) -> bool:
        """Return whether an item has lost its end and runs into another, more certain item.

        In a certain item, bytes that look like another whole item belong to a name or an icon, by chance or
        on purpose.
        """
        end = at + len(element.raw)
        for head in self._heads:
            inside = at + 1
            while (inside := data.find(head, inside, end + len(head) - 1)) > 0:
                other = _element(data, inside)
                counts = other is not None and (
                    sureness is not Sureness.SURE or inside + len(other.raw) > end
                )
                if other is not None and counts and self._list.sureness(other) is Sureness.SURE:
                    return True
                inside += 1
        return False

    def _gap(self, data: bytes, start: int, end: int) -> None:
        """Keep the data between items: each element, and the bytes after the last element as one piece."""
        while start < end and data[start] in _PADDING:
            start += 1
        if header := _list_header(data, start, end):
            # The list's own length is ignored, because items that it cuts in two would be lost.
            if _element(data, start) is None:
                self._odd.append(data[start : start + header])
            start += header
        elements, rest = whole_children(data[start:end])
        odd = [element.raw for element in elements if not is_padding(element.raw)]
        self._odd += odd[:_MOST_IN_A_GAP]
        rest = b"".join(odd[_MOST_IN_A_GAP:]) + rest
        if not is_padding(rest):
            self._odd.append(rest)


def _list_header(data: bytes, start: int, end: int) -> int:
    """Return the size of the headers (tag and length) of lists at the beginning of `data[start:end]`."""
    at = start
    while at + 1 < end and data[at] == _LIST and (size := _size_of_length(data[at + 1])) <= _LONGEST_LENGTH:
        at += 1 + size
    return min(at, end) - start


def _size_of_length(first: int) -> int:
    return 1 + (first & 0x7F if first > 0x80 else 0)


def _element(data: bytes, at: int) -> tlv.Tlv | None:
    """Return the element at an offset of `data`; None if it cannot be read."""
    try:
        return tlv.element_at(data, at)
    except MalformedError:
        return None
