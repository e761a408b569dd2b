"""The examination of a file when it is opened: whether it can be trusted, row by row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from lpad.engine.journal.file.migration import layouts_of, noted_version, version_of
from lpad.engine.journal.file.schema import CHECKSUMS_SINCE, SCHEMA_VERSION, SPARED
from lpad.engine.journal.file.table_layout_reading import Layout, described, layouts
from lpad.engine.journal.file.writability import DamagedError, NewerError
from lpad.engine.journal.salvage.row_checksum import row_checksum

if TYPE_CHECKING:
    import sqlite3

    from lpad.engine.journal.salvage.row_checksum import Value

Row = Mapping[str, "Value"]
Check = Callable[[Row], None]
"""A function that reads a row's content, and raises an error if it cannot."""

LARGEST_ID = 1 << 53
HEADER = 100
"""The number of bytes of an SQLite file's header."""
_MAGIC = b"SQLite format 3\0"
_LEGACY, _WAL = 1, 2


def examine_header(head: bytes) -> None:
    """Check that a file begins like a writable SQLite file; an empty file is a new one.

    SQLite reads some wrong bits here as a setting that makes the file readable but never writable.

    Raises:
        DamagedError: the header is wrong.
    """
    if not head:
        return
    sound = (
        len(head) == HEADER
        and head.startswith(_MAGIC)
        and head[18] == head[19]
        and head[18] in (_LEGACY, _WAL)
        and head[20:24] == bytes([0, 64, 32, 32])
    )
    if not sound:
        raise DamagedError("it does not have the header of an SQLite file")


def examine_version(db: sqlite3.Connection) -> int:
    """Return the version of a file, if this version of lpad can read it.

    Raises:
        NewerError: a later version of lpad wrote the file.
        DamagedError: the version's number is wrong, or the file lacks tables of its version.
    """
    version, noted = version_of(db), noted_version(db)
    if noted is not None and noted > SCHEMA_VERSION:
        raise NewerError(f"its schema is version {noted}; this lpad reads only up to {SCHEMA_VERSION}")
    if version != noted and (noted is not None or not 0 <= version < CHECKSUMS_SINCE):
        raise DamagedError(f"its header gives schema version {version}, but its own record gives {noted}")
    found = layouts(db)
    if version == 0 and found:
        raise DamagedError("it has tables, but no version")
    wanted = layouts_of(version)
    if any(
        table not in found or not set(found[table].names) >= set(layout.names)
        for table, layout in wanted.items()
    ):
        raise DamagedError(f"tables of schema {version} are missing")
    return version


def examine(db: sqlite3.Connection, checks: Mapping[str, Check]) -> None:
    """Check every row of a file whose rows carry checksums, and its second copies.

    Raises:
        DamagedError: the content differs from the content that lpad wrote.
    """
    (verdict,) = db.execute("PRAGMA integrity_check(1)").fetchone()
    if verdict != "ok":
        raise DamagedError(verdict)
    noted = dict(db.execute("SELECT name, value FROM about").fetchall())
    if noted.get("tables") != described(db):
        raise DamagedError("the description of its tables has changed")
    found = layouts(db)
    for layout in found.values():
        _examine_rows(db, layout, checks.get(layout.table))
    for table, condition in SPARED.items():
        _examine_spares(db, found[table], condition)
    for name, seq in db.execute("SELECT name, seq FROM sqlite_sequence").fetchall():
        if not isinstance(seq, int) or not 0 <= seq < LARGEST_ID:
            raise DamagedError(f"the last number of {name} is {seq}, which is impossible")


def _examine_rows(db: sqlite3.Connection, layout: Layout, check: Check | None) -> None:
    columns = ", ".join((*layout.names, "checksum"))
    for *row, checksum in db.execute(f"SELECT {columns} FROM {layout.table} NOT INDEXED"):
        if row_checksum(layout.table, row) != checksum:
            raise DamagedError(f"a row of {layout.table} has a wrong checksum")
        trouble = odd(layout, row, check)
        if trouble is not None:
            raise DamagedError(f"cannot read a row of {layout.table}: {trouble}")


def odd(layout: Layout, row: list[Value] | tuple[Value, ...], check: Check | None) -> str | None:
    """Return why a row cannot be read; None if it can."""
    if not layout.fits(row):
        return "a value does not fit its column"
    try:
        if check is not None:
            check(dict(zip(layout.names, row, strict=True)))
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        return type(error).__name__
    return None


def _examine_spares(db: sqlite3.Connection, layout: Layout, condition: str) -> None:
    """Check that a table has as many second copies as rows that need one."""
    (rows,) = db.execute(f"SELECT count(*) FROM {layout.table} NOT INDEXED WHERE {condition}").fetchone()
    (copies,) = db.execute("SELECT count(*) FROM spares WHERE origin = ?", (layout.table,)).fetchone()
    if rows != copies:
        raise DamagedError(f"{layout.table}: {rows} rows have {copies} second copies")
