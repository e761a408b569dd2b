"""Reading a list although parts of it are broken: what can be read is read, and the rest is counted.

Cards leave the list's own element out, put unknown elements between the items, add padding, or get a length
wrong so that one item swallows its neighbour. A reader that gives up at the first odd byte loses the profile
that the device lives on.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from lpad.base.errors import MalformedError
from lpad.codec.asn1 import tlv

if TYPE_CHECKING:
    from collections.abc import Callable

_LIST = 0xA0
_REFUSAL = 0x81
_LONGEST_CODE = 8
_LONGEST_LENGTH = 5
_MOST_IN_A_GAP = 32
"""Broken elements that are told apart; a card that makes up more must not fill the memory."""
_CONTEXT_CLASS = 0x80
_CLASS_BITS = 0xC0
_PADDING = b"\x00\xff"
"""Bytes that may stand between elements and mean nothing (ISO/IEC 7816-4, 5.2.2.1)."""
_DEEPEST = 8
"""Levels of items inside items; no card has a reason for more than one."""


@dataclass(frozen=True, slots=True)
class Salvaged:
    """The items of a list in the card's order, and what is no item.

    `items` are elements as they came; `odd` holds the bytes of each element, or run of bytes, that could not
    be read as one.
    """

    items: tuple[tlv.Tlv, ...]
    odd: tuple[bytes, ...]


def whole_children(data: bytes) -> tuple[tuple[tlv.Tlv, ...], bytes]:
    """Return the elements at the beginning of `data`, and the bytes from the first that can't be read."""
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
    """Whether there is nothing in `data` but padding: any number of 00 and FF."""
    return not data.strip(_PADDING)


def element_of(data: bytes) -> bytes:
    """Return the element at the beginning of `data` without what follows it; all of it if there is none."""
    try:
        return tlv.parse_first(data)[0].raw
    except MalformedError:
        return data


class Sureness(Enum):
    """Whether bytes that begin as an item does are one."""

    NONE = auto()
    PERHAPS = auto()
    SURE = auto()


@dataclass(frozen=True, slots=True)
class ListOf:
    """What a card's list should look like: `tag`, in it A0, in it the items.

    `sureness` says whether an element is an item that can be read at least in part. It is asked at each byte
    of what is broken. `nests` is for items that may hold others by mistake, and never hold anything else that
    begins like one.
    """

    name: str
    tag: int
    item_tags: tuple[int, ...]
    sureness: Callable[[tlv.Tlv], Sureness]
    nests: bool = False

    def read(self, answer: bytes) -> Salvaged | int:
        """Return what is in a card's answer, or the code with which it refuses to list anything.

        Any length may be wrong, and A0 missing.

        Raises:
            MalformedError: neither a list nor a refusal.
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
        """Return what is behind the answer's own tag and length, and whether that promises more."""
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
            self._odd.append(b"")  # whatever was to come is missing
        return Salvaged(tuple(self._items), tuple(self._odd))

    def _scan(self, data: bytes, *, depth: int) -> None:
        """Take items where they stand, one after the other; look for more at each byte of what is none."""
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
        """Whether an item has lost its end, and goes on in another, which is the surer one.

        Inside a sure item another is only what its names and pictures hold by chance, or for a purpose.
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
        """Count what lies between items: each element, and what is behind the last as one."""
        while start < end and data[start] in _PADDING:
            start += 1
        if header := _list_header(data, start, end):
            # Where the list ends is not looked at: items that its length cuts in two would be lost.
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
    """Return the size of the tags and lengths of lists in front of anything else."""
    at = start
    while at + 1 < end and data[at] == _LIST and (size := _size_of_length(data[at + 1])) <= _LONGEST_LENGTH:
        at += 1 + size
    return min(at, end) - start


def _size_of_length(first: int) -> int:
    return 1 + (first & 0x7F if first > 0x80 else 0)


def _element(data: bytes, at: int) -> tlv.Tlv | None:
    """Return the element at a byte, None if it is not there to its end."""
    try:
        return tlv.element_at(data, at)
    except MalformedError:
        return None
