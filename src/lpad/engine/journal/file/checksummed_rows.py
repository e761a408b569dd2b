"""Rows with a checksum that is computed at each write and compared at each read.

SQLite handles the checksums with triggers and views of the connection, which are not in the file. Code that
writes to a table is unaffected, and code that reads uses `sound_TABLE` instead of TABLE. Rows that `SPARED`
selects have a second copy, which is written and dropped in the same transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lpad.engine.journal.file.schema import SPARED
from lpad.engine.journal.file.table_layout_reading import Layout, described, layouts
from lpad.engine.journal.salvage.row_checksum import row_checksum

if TYPE_CHECKING:
    import sqlite3

    from lpad.engine.journal.salvage.row_checksum import Value


def equip(db: sqlite3.Connection) -> None:
    """Give a connection the functions that checksums and second copies need."""

    def verified(table: str, checksum: int, *values: Value) -> int:
        if row_checksum(table, values) != checksum:
            raise ValueError  # SQLite fails the whole query, as intended
        return 1

    def computed(table: str, *values: Value) -> int:
        return row_checksum(table, values)

    def packed(*values: Value) -> bytes:
        return msgspec.msgpack.encode(values)

    db.create_function("verified", -1, verified, deterministic=True)
    db.create_function("row_checksum", -1, computed, deterministic=True)
    db.create_function("packed", -1, packed, deterministic=True)


def unpacked(packed: Value) -> tuple[Value, ...]:
    """Return the row in a second copy; an empty row if the copy cannot be read."""
    try:
        return tuple(msgspec.msgpack.decode(packed, type=list)) if isinstance(packed, bytes) else ()
    except ValueError:
        return ()


def seal_all(db: sqlite3.Connection, *, version: int) -> None:
    """Recompute all checksums and second copies, and store the file's version; call it in a transaction."""
    found = layouts(db)
    db.execute("DELETE FROM spares")
    for table, condition in SPARED.items():
        db.execute(_copying(found[table], condition))
    for name, value in (("format", version), ("tables", described(db))):
        db.execute("INSERT OR REPLACE INTO about (name, value) VALUES (?, ?)", (name, value))
    for layout in found.values():
        if layout.sealed:
            db.execute(f"UPDATE {layout.table} SET checksum = {_checksum(layout)}")


def keep_sealed(db: sqlite3.Connection) -> None:
    """Add a checksum to each row written from now on, and create views that verify the checksums."""
    for table, layout in layouts(db).items():
        if not layout.sealed:
            continue
        names = ", ".join(layout.names)
        # The trigger that sets the checksum updates no other column, so it activates no further trigger.
        for event in ("INSERT", f"UPDATE OF {names}"):
            db.execute(
                f"CREATE TEMP TRIGGER {table}_{event[:6]} AFTER {event} ON main.{table} BEGIN"
                f" UPDATE {table} SET checksum = {_checksum(layout)} WHERE {_is_new(layout)};"
                f" {_sparing(layout)} END"
            )
        if table in SPARED:
            db.execute(
                f"CREATE TEMP TRIGGER {table}_DELETE AFTER DELETE ON main.{table} BEGIN"
                f" DELETE FROM spares WHERE origin = '{table}' AND key = {_key(layout, 'OLD.')}; END"
            )
        db.execute(
            f"CREATE TEMP VIEW sound_{table} AS SELECT {names} FROM main.{table}"
            f" WHERE verified('{table}', checksum, {names})"
        )


def _sparing(layout: Layout) -> str:
    """Return the statements that create or remove the second copy of a written row."""
    condition = SPARED.get(layout.table)
    if condition is None:
        return ""
    # This is not INSERT OR REPLACE, because within a trigger the outer statement's conflict rule applies.
    return (
        f"DELETE FROM spares WHERE origin = '{layout.table}' AND key = {_key(layout, 'NEW.')};"
        f" {_copying(layout, f'{_is_new(layout)} AND {condition}')};"
    )


def _copying(layout: Layout, condition: str) -> str:
    return (
        "INSERT INTO spares (origin, key, packed)"
        f" SELECT '{layout.table}', {_key(layout)}, packed({', '.join(layout.names)})"
        f" FROM {layout.table} WHERE {condition}"
    )


def _checksum(layout: Layout) -> str:
    return f"row_checksum('{layout.table}', {', '.join(layout.names)})"


def _is_new(layout: Layout) -> str:
    return " AND ".join(f"{name} = NEW.{name}" for name in layout.key)


def _key(layout: Layout, row: str = "") -> str:
    return "CAST({} AS TEXT)".format(" || ':' || ".join(f"{row}{name}" for name in layout.key))
