"""The requests with an Idempotency-Key, which are kept as long as their changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.base.errors import KeyReused, TooManyChanges
from lpad.engine.journal.file.database import again_if_repaired

if TYPE_CHECKING:
    from lpad.engine.change.idempotency import IdempotencyKey
    from lpad.engine.journal.file.database import Database, Transaction

MOST_KEYS = 1000
"""The maximum number of requests that may lead to one change."""


class KeyedRequests:
    """The table of idempotency keys."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def change_id(self, key: IdempotencyKey) -> int | None:
        """Return the number of the change to which a request led; None for a new request.

        Raises:
            KeyReused: the key belongs to another request.
        """
        row = self._database.row(
            "SELECT request, change_id FROM sound_requests WHERE uid = ? AND key = ?",
            key.uid,
            key.digest.hex(),
        )
        if row is None:
            return None
        if row[0] != key.request:
            raise KeyReused(
                f"this Idempotency-Key already belongs to another request, which led to change {row[1]}; use"
                " a new key for each request",
                change=row[1],
            )
        return int(row[1])

    @again_if_repaired
    def add(self, key: IdempotencyKey, change_id: int) -> None:
        """Record to which change a request led.

        Raises:
            TooManyChanges: too many requests lead to the change.
        """
        with self._database.writing() as db:
            (count,) = db.execute(
                "SELECT count(*) FROM requests WHERE change_id = ?", (change_id,)
            ).fetchone()
            if count >= MOST_KEYS:
                raise TooManyChanges(
                    f"{count} requests already lead to change {change_id}; wait until it has ended"
                )
            insert(db, key, change_id)


def insert(db: Transaction, key: IdempotencyKey, change_id: int) -> None:
    """Record a request within a running transaction."""
    db.execute(
        "INSERT INTO requests (uid, key, request, change_id) VALUES (?, ?, ?, ?)",
        (key.uid, key.digest.hex(), key.request, change_id),
    )
