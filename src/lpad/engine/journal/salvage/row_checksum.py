"""The checksum that each row of the journal carries, and the bytes that it covers.

A released checksum is never changed: rows that carry another one would count as damaged.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

Value = str | bytes | int | float | None
"""A column's value in SQLite."""

_NULL, _INTEGER, _REAL, _TEXT, _BLOB = range(5)


def row_checksum(table: str, values: Sequence[Value]) -> int:
    """Return the CRC-32 of a row and its table's name; it detects any single wrong bit.

    Args:
        values: the values of all the row's columns except the checksum, in the table's order.
    """
    return zlib.crc32(b"".join([table.encode(), *map(_spelled, values)]))


def _spelled(value: Value) -> bytes:
    """Return a value with its type and its length, so that different rows never have the same bytes."""
    if value is None:
        return bytes([_NULL])
    if isinstance(value, int):
        return struct.pack(">Bq", _INTEGER, value)
    if isinstance(value, float):
        return struct.pack(">Bd", _REAL, value)
    # A text that is no longer valid UTF-8 also gets a checksum, which then does not match.
    kind, data = (_TEXT, value.encode(errors="surrogateescape")) if isinstance(value, str) else (_BLOB, value)
    return struct.pack(">BI", kind, len(data)) + data
