"""The migration of a file to the current version, step by step, each step in one transaction."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import cache

from lpad.engine.journal.file.checksummed_rows import equip, seal_all
from lpad.engine.journal.file.schema import CHECKSUMS_SINCE, MIGRATIONS, SCHEMA_VERSION, statements
from lpad.engine.journal.file.table_layout_reading import Layout, layouts
from lpad.engine.journal.salvage.row_checksum import row_checksum


def version_of(db: sqlite3.Connection) -> int:
    """Return the version in a file's header."""
    (version,) = db.execute("PRAGMA main.user_version").fetchone()
    return int(version)


def noted_version(db: sqlite3.Connection) -> int | None:
    """Return the version in the row `format`; None if this row is missing or its checksum is wrong.

    The row with this version has the same form in all versions, including later ones.
    """
    try:
        row = db.execute("SELECT value, checksum FROM about WHERE name = 'format'").fetchone()
    except sqlite3.OperationalError:
        return None
    if row is None or not isinstance(row[0], int) or row_checksum("about", ("format", row[0])) != row[1]:
        return None
    return row[0]


def migrate(db: sqlite3.Connection, *, to: int = SCHEMA_VERSION) -> None:
    """Bring a file to a version; completed steps are not repeated."""
    equip(db)
    first = version_of(db)
    for number, migration in enumerate(MIGRATIONS[first:to], start=first + 1):
        db.execute("BEGIN IMMEDIATE")
        try:
            for statement in statements(migration):
                db.execute(statement)
            if number >= CHECKSUMS_SINCE:
                seal_all(db, version=number)
            db.execute(f"PRAGMA user_version = {number}")
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise


@cache
def layouts_of(version: int) -> dict[str, Layout]:
    """Return the tables of a file with a given version."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as model:
        migrate(model, to=version)
        return layouts(model)
