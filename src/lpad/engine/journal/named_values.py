"""Small things that policies must still know after a restart, each under a name."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

from lpad.engine.journal.database import again_if_repaired

if TYPE_CHECKING:
    from lpad.engine.journal.database import Database, Transaction
    from lpad.engine.journal.verification import Row

_T = TypeVar("_T")


def check_memo(row: Row) -> None:
    """See that a memo is JSON, whatever it says.

    Raises:
        ValueError: it is not.
    """
    msgspec.json.decode(bytes(row["value"]) if isinstance(row["value"], bytes) else b"")


class NamedValues:
    """The table of memos; a returned call is on the disk."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, name: str, type_: type[_T]) -> _T | None:
        """Return what was noted, None where nothing was, or nothing that can be read as such."""
        row = self._database.row("SELECT value FROM sound_memos WHERE name = ?", name)
        try:
            return None if row is None else msgspec.json.decode(row[0], type=type_)
        except ValueError:
            return None

    def names(self, prefix: str) -> list[str]:
        """Return the names that begin with a prefix of ASCII characters, in their order."""
        rows = self._database.rows(
            "SELECT name FROM sound_memos WHERE name >= ? AND name < ? ORDER BY name", prefix, f"{prefix}\x7f"
        )
        return [str(name) for (name,) in rows]

    @again_if_repaired
    def put(self, name: str, value: object) -> None:
        """Note something, in the place of what was noted before.

        Raises:
            JournalUnavailable: it can't be written.
        """
        with self._database.writing() as db:
            put_within(db, name, value)

    @again_if_repaired
    def drop(self, name: str) -> None:
        """Forget a memo.

        Raises:
            JournalUnavailable: it can't be written.
        """
        with self._database.writing() as db:
            db.execute("DELETE FROM memos WHERE name = ?", (name,))


def put_within(db: Transaction, name: str, value: object) -> None:
    """Note something within a transaction that is under way."""
    db.execute("INSERT OR REPLACE INTO memos (name, value) VALUES (?, ?)", (name, msgspec.json.encode(value)))
