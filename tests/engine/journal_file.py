"""A journal's file that a test writes to, as lpad does, or as a later lpad would."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lpad.engine.journal import SCHEMA_VERSION
from lpad.engine.journal.file.checksummed_rows import equip, keep_sealed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def sealed(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the file of a journal that is not in use; written rows get their checksums."""
    db = sqlite3.connect(path)
    try:
        equip(db)
        keep_sealed(db)
        yield db
        db.commit()
    finally:
        db.close()


def become_newer(path: Path) -> None:
    """Turn a journal's file into one of the next version, as far as this lpad can know."""
    with sealed(path) as db:
        db.execute("UPDATE about SET value = ? WHERE name = 'format'", (SCHEMA_VERSION + 1,))
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
