"""Small named values that policies need after a restart."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeVar

import msgspec

from lpad.engine.journal.file.database import again_if_repaired

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lpad.engine.events.happening import Happening
    from lpad.engine.journal.events.event_log import EventLog
    from lpad.engine.journal.file.database import Database, Transaction
    from lpad.engine.journal.file.verification import Row

log = logging.getLogger(__name__)

_T = TypeVar("_T")


def check_memo(row: Row) -> None:
    """Check that a stored value is JSON.

    Raises:
        ValueError: the value is not JSON.
    """
    msgspec.json.decode(bytes(row["value"]) if isinstance(row["value"], bytes) else b"")


class NamedValues:
    """The table of named values; data is on the disk when a call returns."""

    def __init__(self, database: Database, events: EventLog) -> None:
        self._database = database
        self._events = events

    def get(self, name: str, type_: type[_T]) -> _T | None:
        """Return a stored value; None if there is no readable one."""
        row = self._database.row("SELECT value FROM sound_memos WHERE name = ?", name)
        try:
            return None if row is None else msgspec.json.decode(row[0], type=type_)
        except ValueError:
            return None

    def get_each(self, name: str, type_: type[_T]) -> tuple[_T, ...]:
        """Return the items of a stored list; unreadable items are omitted."""
        found = []
        for each in self.get(name, list[msgspec.Raw]) or ():
            try:
                found.append(msgspec.json.decode(each, type=type_))
            except ValueError:
                kind = name.partition(" ")[0]
                log.warning("an item of '%s' in the journal cannot be read; lpad leaves it out", kind)
        return tuple(found)

    def names(self, prefix: str) -> list[str]:
        """Return the names that begin with a prefix of ASCII characters, in ascending order."""
        rows = self._database.rows(
            "SELECT name FROM sound_memos WHERE name >= ? AND name < ? ORDER BY name", prefix, f"{prefix}\x7f"
        )
        return [str(name) for (name,) in rows]

    @again_if_repaired
    def put(self, name: str, value: object, *, happenings: Sequence[Happening] = ()) -> None:
        """Store a value, replacing the previous one, together with the events that follow from it.

        Raises:
            JournalUnavailable: the journal cannot be written.
        """
        with self._events.writing(happenings) as db:
            put_within(db, name, value)

    @again_if_repaired
    def drop(self, name: str, *, happenings: Sequence[Happening] = ()) -> None:
        """Delete a value; see `put`.

        Raises:
            JournalUnavailable: the journal cannot be written.
        """
        with self._events.writing(happenings) as db:
            db.execute("DELETE FROM memos WHERE name = ?", (name,))


def put_within(db: Transaction, name: str, value: object) -> None:
    """Store a value within a running transaction."""
    db.execute("INSERT OR REPLACE INTO memos (name, value) VALUES (?, ?)", (name, msgspec.json.encode(value)))
