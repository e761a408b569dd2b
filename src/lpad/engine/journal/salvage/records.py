"""The records in a database's pages, even those to which the database no longer refers.

Each leaf page is read separately. So damage in the header, the schema or interior pages hides no records, and
damage in one page does not affect other pages. SQLite's file format is documented at
https://sqlite.org/fileformat2.html#b_tree_pages
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from lpad.base.frozen import Frozen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lpad.engine.journal.salvage.pages import Pages
    from lpad.engine.journal.salvage.row_checksum import Value

TABLE_LEAF, INDEX_LEAF, INDEX_INTERIOR = 0x0D, 0x0A, 0x02
_HEADERS = {TABLE_LEAF: 8, INDEX_LEAF: 8, INDEX_INTERIOR: 12}
_INTEGERS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}
"""Size of an integer in bytes, by its SQLite serial type."""
_MOST_COLUMNS = 64
_LONGEST = 1 << 24
"""The maximum number of bytes of a record: the journal's records are far shorter, and a wrong bit can result
in a length of billions."""


class Record(Frozen):
    """One record; `rowid` is None in a table without one and in an index."""

    page: int
    rowid: int | None
    values: tuple[Value, ...]


class _OddError(Exception):
    """The bytes do not have the expected form."""


def records_of(pages: Pages, number: int, page: bytes, *, kind: int | None = None) -> Iterator[Record]:
    """Yield the records of a page; unreadable ones are omitted.

    Args:
        pages: the file, for overflow pages.
        number: the page's number, from 1.
        kind: the page type to assume; None: the page's own.
    """
    begin = 100 if number == 1 else 0
    kind = page[begin] if kind is None else kind
    head = _HEADERS.get(kind)
    if head is None:
        return
    count = int.from_bytes(page[begin + 3 : begin + 5], "big")
    first = begin + head
    for place in range(first, min(first + 2 * count, len(page) - 1), 2):
        at = int.from_bytes(page[place : place + 2], "big")
        try:
            yield _record(pages, number, page, at, kind)
        except (_OddError, IndexError, struct.error):
            continue


def _record(pages: Pages, number: int, page: bytes, at: int, kind: int) -> Record:
    if kind == INDEX_INTERIOR:
        at += 4
    length, at = _varint(page, at)
    rowid = None
    if kind == TABLE_LEAF:
        rowid, at = _varint(page, at)
        rowid = rowid - (1 << 64) if rowid >> 63 else rowid
    return Record(number, rowid, _values(_payload(pages, page, at, length, kind)))


def _payload(pages: Pages, page: bytes, at: int, length: int, kind: int) -> bytes:
    """Return a record's bytes, which may continue in other pages."""
    if length > _LONGEST:
        raise _OddError
    usable = pages.size
    least = (usable - 12) * 32 // 255 - 23
    most = usable - 35 if kind == TABLE_LEAF else (usable - 12) * 64 // 255 - 23
    if length <= most:
        local = length
    else:
        local = least + (length - least) % (usable - 4)
        local = local if local <= most else least
    payload = bytearray(page[at : at + local])
    following = int.from_bytes(page[at + local : at + local + 4], "big") if length > local else 0
    while len(payload) < length:
        overflow = pages.page(following) if following else None
        if overflow is None:
            raise _OddError
        payload += overflow[4 : 4 + length - len(payload)]
        following = int.from_bytes(overflow[:4], "big")
    return bytes(payload)


def _values(payload: bytes) -> tuple[Value, ...]:
    header, at = _varint(payload, 0)
    if header > len(payload):
        raise _OddError
    kinds = []
    while at < header:
        kind, at = _varint(payload, at)
        kinds.append(kind)
    if at != header or len(kinds) > _MOST_COLUMNS:
        raise _OddError
    values = []
    for kind in kinds:
        value, at = _value(payload, at, kind)
        values.append(value)
    if at != len(payload):
        raise _OddError
    return tuple(values)


def _value(payload: bytes, at: int, kind: int) -> tuple[Value, int]:
    if kind == 0:
        return None, at
    if kind in (8, 9):
        return kind - 8, at
    size = _INTEGERS.get(kind, 8 if kind == 7 else (kind - 12) // 2)
    data = payload[at : at + size]
    if kind in (10, 11) or len(data) < size:
        raise _OddError
    if kind in _INTEGERS:
        return int.from_bytes(data, "big", signed=True), at + size
    if kind == 7:
        return float(struct.unpack(">d", data)[0]), at + size
    return data.decode(errors="surrogateescape") if kind % 2 else data, at + size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for place in range(at, at + 8):
        value = value << 7 | data[place] & 0x7F
        if data[place] < 0x80:
            return value, place + 1
    return value << 8 | data[at + 8], at + 9
