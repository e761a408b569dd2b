"""The changes in the journal, with what carrying them out and settling them needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from lpad.engine.change import Change, Json, Kind, State, now
from lpad.errors import NotFound

if TYPE_CHECKING:
    from lpad.engine.journal.database import Database

KEPT_CHANGES = 500
"""Ended changes that stay in the journal; older ones give way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Private:
    """What a change needs to be carried out or settled and nobody is shown; gone when it ends."""

    secrets: dict[str, str]
    notes: dict[str, Json]


class Changes:
    """The table of changes; a returned call is on the disk."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, euicc: str, kind: Kind, *, params: dict[str, Json], secrets: dict[str, str]) -> Change:
        """Write down a new change and return it, queued."""
        with self._database.writing() as db:
            cursor = db.execute(
                "INSERT INTO changes (euicc, state, body, private) VALUES (?, ?, ?, ?)",
                (euicc, State.QUEUED.value, b"", _encode(Private(secrets=secrets, notes={}))),
            )
            change = Change(id=cursor.lastrowid or 0, euicc=euicc, kind=kind, params=params, created_at=now())
            db.execute("UPDATE changes SET body = ? WHERE id = ?", (_encode(change), change.id))
            db.execute("DELETE FROM changes WHERE private IS NULL AND id <= ?", (change.id - KEPT_CHANGES,))
        return change

    def save(self, change: Change, *, notes: dict[str, Json] | None = None) -> None:
        """Write down a change's present record; an ended change loses its secrets and notes.

        Args:
            change: the record.
            notes: what settling will need, added to what is noted already.
        """
        with self._database.writing() as db:
            if change.state.ended:
                private = None
            else:
                known = self.private(change.id)
                private = _encode(_merged(known, notes))
            # The row may be missing: the journal is a new one where the old one was damaged meanwhile.
            db.execute(
                "INSERT INTO changes (id, euicc, state, body, private) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (id) DO UPDATE SET state = excluded.state, body = excluded.body,"
                " private = excluded.private",
                (change.id, change.euicc, change.state.value, _encode(change), private),
            )
        if change.state.ended:
            self._database.forget_deleted()

    def private(self, change_id: int) -> Private:
        """Return the secrets and notes of a change that has not ended."""
        row = self._database.row("SELECT private FROM changes WHERE id = ?", change_id)
        if row is None or row[0] is None:
            return Private(secrets={}, notes={})
        return msgspec.json.decode(row[0], type=Private)

    def get(self, change_id: int) -> Change:
        """Return one change.

        Raises:
            NotFound: there is none with this ID, or it has given way to newer ones.
        """
        row = self._database.row("SELECT body FROM changes WHERE id = ?", change_id)
        if row is None:
            raise NotFound(f"there is no change {change_id}; GET /v1/changes lists those that are kept")
        return msgspec.json.decode(row[0], type=Change)

    def latest(self, *, limit: int = KEPT_CHANGES) -> list[Change]:
        """Return the latest changes, newest first."""
        rows = self._database.rows("SELECT body FROM changes ORDER BY id DESC LIMIT ?", limit)
        return [msgspec.json.decode(row[0], type=Change) for row in rows]

    def unfinished(self, euicc: str | None = None) -> list[Change]:
        """Return a card's changes, or all, that have not ended, in the order in which they were asked for."""
        rows = self._database.rows(
            "SELECT body FROM changes WHERE coalesce(euicc = ?, 1)"
            " AND state IN ('queued', 'running', 'waiting') ORDER BY id",
            euicc,
        )
        return [msgspec.json.decode(row[0], type=Change) for row in rows]


def _encode(value: Change | Private) -> bytes:
    return msgspec.json.encode(value)


def _merged(known: Private, notes: dict[str, Json] | None) -> Private:
    return Private(secrets=known.secrets, notes={**known.notes, **(notes or {})})
