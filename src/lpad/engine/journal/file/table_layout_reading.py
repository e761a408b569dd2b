"""The layout of the journal's tables, read from an open file, so that it includes later additions."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from lpad.base.frozen import Frozen

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

    from lpad.engine.journal.salvage.row_checksum import Value

CHECKSUM = "checksum"
"""The column with a row's checksum."""

_TYPES: Mapping[str, tuple[type, ...]] = {
    "TEXT": (str,),
    "INTEGER": (int,),
    "REAL": (float,),
    "BLOB": (bytes, str),
    "": (int, float, str, bytes),
}
_FAR = 1e12
"""The largest time or number of seconds that lpad writes."""
_MOST = 1 << 53
"""The largest integer that JSON readers represent exactly."""


class Column(Frozen):
    """One column: its name and declared type, whether it is never NULL, and its value in older rows."""

    name: str
    type: str
    needed: bool
    default: Value

    def read(self, value: Value) -> Value:
        """Return a stored value as SQLite would.

        SQLite stores a whole number in a REAL column as an integer, and reads it as a float.
        """
        return float(value) if self.type == "REAL" and isinstance(value, int) else value

    def fits(self, value: Value) -> bool:
        """Return whether lpad could have written this value."""
        if value is None:
            return not self.needed
        if not isinstance(value, _TYPES.get(self.type, _TYPES[""])):
            return False
        if isinstance(value, float):
            return abs(value) < _FAR
        if isinstance(value, int):
            return abs(value) <= _MOST
        return (
            isinstance(value, bytes) or value.isascii() or not any("\ud800" <= c <= "\udfff" for c in value)
        )


class Layout(Frozen):
    """A table: its columns in order, without the checksum, and the names of those that make up its key."""

    table: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    sealed: bool
    """Whether the table's rows carry a checksum."""

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names."""
        return tuple(each.name for each in self.columns)

    @property
    def has_rowid(self) -> bool:
        """Whether the table's key is SQLite's row number, which is not part of a record."""
        return self.key == ("id",)

    def key_of(self, row: Sequence[Value]) -> tuple[Value, ...]:
        """Return a row's key."""
        return tuple(row[self.names.index(name)] for name in self.key)

    def spelled(self, row: Sequence[Value]) -> str:
        """Return a row's key as one text, which identifies its second copy."""
        return ":".join(map(str, self.key_of(row)))

    def fits(self, row: Sequence[Value]) -> bool:
        """Return whether lpad could have written this row, judged by the types and sizes of its values."""
        return all(column.fits(value) for column, value in zip(self.columns, row, strict=True))


def layouts(db: sqlite3.Connection) -> dict[str, Layout]:
    """Return the tables of an open file, by name."""
    tables = db.execute(
        "SELECT name FROM main.sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    ).fetchall()
    return {table: _layout(db, table) for (table,) in tables}


def _layout(db: sqlite3.Connection, table: str) -> Layout:
    found = db.execute(
        'SELECT name, type, "notnull", dflt_value, pk FROM pragma_table_info(?) ORDER BY cid', (table,)
    ).fetchall()
    columns = tuple(
        Column(name, type_, bool(needed or key), _default(default))
        for name, type_, needed, default, key in found
        if name != CHECKSUM
    )
    keys = sorted((key, name) for name, _, _, _, key in found if key)
    return Layout(table, columns, tuple(name for _, name in keys), len(columns) < len(found))


def _default(text: str | None) -> Value:
    """Return a column's DEFAULT as a value; None if the column has none."""
    if text is None or text == "NULL":
        return None
    return text[1:-1] if text.startswith("'") else int(text)


def described(db: sqlite3.Connection) -> int:
    """Return a checksum of the file's description of its tables, which may be damaged but readable."""
    rows = db.execute("SELECT type, name, tbl_name, sql FROM main.sqlite_master ORDER BY type, name")
    return zlib.crc32(repr(rows.fetchall()).encode())
