"""The journal: what was wanted, on disk before it is done, so that power may go at any instant.

The one home of sqlite3. Write-ahead log and synchronous=FULL: a returned call is on the disk.
"""

from __future__ import annotations

import sqlite3
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from lpad.engine.change import Change, Json, Kind, State, now
from lpad.errors import Conflict, InternalError, LpadError, NotFound

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

SCHEMA_VERSION = 1
KEPT_CHANGES = 500
"""Ended changes that stay in the journal; older ones give way."""

_SCHEMA = """
CREATE TABLE changes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    euicc TEXT NOT NULL,
    state TEXT NOT NULL,
    body BLOB NOT NULL,
    private BLOB
);
CREATE INDEX changes_state ON changes (state);
CREATE TABLE notifications (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    eid TEXT NOT NULL,
    seq INTEGER NOT NULL,
    event TEXT NOT NULL,
    address TEXT NOT NULL,
    iccid TEXT,
    raw BLOB NOT NULL,
    stored_at REAL NOT NULL,
    delivered INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    last_error TEXT,
    next_attempt_at REAL NOT NULL,
    UNIQUE (eid, seq)
);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Private:
    """What a change needs to be carried out or settled and nobody is shown; gone when it ends."""

    secrets: dict[str, str]
    notes: dict[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredNotification:
    """A notification's copy: `raw` is the signed PendingNotification as the card gave it.

    Moments are seconds since 1970. `delivered` means accepted by the server but still on the card.
    """

    id: int
    eid: str
    seq: int
    event: str
    address: str
    iccid: str | None
    raw: bytes
    stored_at: float
    delivered: bool
    attempts: int
    last_error: str | None
    next_attempt_at: float


class Journal:
    """The daemon's SQLite file; usable from every thread."""

    def __init__(self, path: Path) -> None:
        """Open the file, or make it (readable by its owner alone).

        Raises:
            InternalError: unreadable, damaged, or written by a newer lpad; the sentence says what to do.
        """
        self._path = path
        self._lock = threading.RLock()
        try:
            path.touch(mode=0o600, exist_ok=True)
        except OSError as error:
            raise InternalError(
                f"the journal {path} can't be made: {error.strerror}; check that its folder exists and"
                " belongs to lpad's user",
                reason="journal-unwritable",
            ) from error
        with self._mapped():
            self._db = sqlite3.connect(path, timeout=1, check_same_thread=False, isolation_level=None)
        try:
            self._prepare()
        except LpadError:
            self._db.close()
            raise

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._db.close()

    def add(self, euicc: str, kind: Kind, *, params: dict[str, Json], secrets: dict[str, str]) -> Change:
        """Write down a new change and return it, queued."""
        with self._writing() as db:
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
        with self._writing() as db:
            if change.state.ended:
                private = None
            else:
                known = self.private(change.id)
                private = _encode(_merged(known, notes))
            db.execute(
                "UPDATE changes SET state = ?, body = ?, private = ? WHERE id = ?",
                (change.state.value, _encode(change), private, change.id),
            )
        if change.state.ended:
            # Otherwise the secrets would stay readable in the write-ahead log.
            with self._lock, self._mapped():
                self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def private(self, change_id: int) -> Private:
        """Return the secrets and notes of a change that has not ended."""
        row = self._one("SELECT private FROM changes WHERE id = ?", change_id)
        if row is None or row[0] is None:
            return Private(secrets={}, notes={})
        return msgspec.json.decode(row[0], type=Private)

    def change(self, change_id: int) -> Change:
        """Return one change.

        Raises:
            NotFound: there is none with this ID, or it has given way to newer ones.
        """
        row = self._one("SELECT body FROM changes WHERE id = ?", change_id)
        if row is None:
            raise NotFound(f"there is no change {change_id}; GET /v1/changes lists those that are kept")
        return msgspec.json.decode(row[0], type=Change)

    def changes(self, *, limit: int = KEPT_CHANGES) -> list[Change]:
        """Return the latest changes, newest first."""
        rows = self._all("SELECT body FROM changes ORDER BY id DESC LIMIT ?", limit)
        return [msgspec.json.decode(row[0], type=Change) for row in rows]

    def unfinished(self, euicc: str | None = None) -> list[Change]:
        """Return a card's changes, or all, that have not ended, in the order in which they were asked for."""
        rows = self._all(
            "SELECT body FROM changes WHERE coalesce(euicc = ?, 1)"
            " AND state IN ('queued', 'running', 'waiting') ORDER BY id",
            euicc,
        )
        return [msgspec.json.decode(row[0], type=Change) for row in rows]

    def keep(
        self, *, eid: str, seq: int, event: str, address: str, iccid: str | None, raw: bytes, at: float
    ) -> bool:
        """Copy a notification; True when it is new.

        A card numbers its notifications for ever, so an equal number with other bytes means that the
        card was made anew (simulated cards are): the new one takes the place of the old.
        """
        with self._writing() as db:
            row = db.execute("SELECT raw FROM notifications WHERE eid = ? AND seq = ?", (eid, seq)).fetchone()
            if row is not None and row[0] == raw:
                return False
            db.execute(
                "INSERT OR REPLACE INTO notifications"
                " (eid, seq, event, address, iccid, raw, stored_at, next_attempt_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (eid, seq, event, address, iccid, raw, at, at),
            )
            # A new one shows that the device is alive and probably online: the ones before it, whose
            # order must be kept, are due as well.
            db.execute(
                "UPDATE notifications SET next_attempt_at = min(next_attempt_at, ?)"
                " WHERE eid = ? AND address = ? AND NOT delivered",
                (at, eid, address),
            )
        return True

    def notifications(self, *, eid: str | None = None) -> list[StoredNotification]:
        """Return the copies, of one card or of all, in ascending order of card and number."""
        rows = self._all(
            "SELECT id, eid, seq, event, address, iccid, raw, stored_at, delivered, attempts, last_error,"
            " next_attempt_at FROM notifications WHERE eid = ifnull(?, eid) ORDER BY eid, seq",
            eid,
        )
        return [
            StoredNotification(
                id=row[0],
                eid=row[1],
                seq=row[2],
                event=row[3],
                address=row[4],
                iccid=row[5],
                raw=row[6],
                stored_at=row[7],
                delivered=bool(row[8]),
                attempts=row[9],
                last_error=row[10],
                next_attempt_at=row[11],
            )
            for row in rows
        ]

    def mark_delivered(self, notification_id: int) -> None:
        """Note that the server accepted a notification; it may leave the card now."""
        with self._writing() as db:
            db.execute(
                "UPDATE notifications SET delivered = 1, last_error = NULL, attempts = attempts + 1"
                " WHERE id = ?",
                (notification_id,),
            )

    def mark_failed(
        self, notification_id: int, *, error: str, next_attempt_at: float, postponed: Sequence[int] = ()
    ) -> None:
        """Note an attempt that failed and when the next is due; those behind it in order wait as long."""
        with self._writing() as db:
            db.execute(
                "UPDATE notifications SET attempts = attempts + 1, last_error = ? WHERE id = ?",
                (error, notification_id),
            )
            db.executemany(
                "UPDATE notifications SET next_attempt_at = ? WHERE id = ?",
                [(next_attempt_at, each) for each in (notification_id, *postponed)],
            )

    def make_due(self, *, eid: str, at: float) -> None:
        """Let every notification of a card be tried now."""
        with self._writing() as db:
            db.execute("UPDATE notifications SET next_attempt_at = ? WHERE eid = ?", (at, eid))

    def drop(self, notification_id: int) -> None:
        """Forget a notification that was accepted and has left the card."""
        with self._writing() as db:
            db.execute("DELETE FROM notifications WHERE id = ?", (notification_id,))

    def _prepare(self) -> None:
        with self._mapped():
            # Two daemons on one journal would settle each other's changes.
            self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.execute("PRAGMA secure_delete = ON")
            self._db.execute("PRAGMA cache_size = -256")
            (version,) = self._db.execute("PRAGMA user_version").fetchone()
            (verdict,) = self._db.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise self._broken(f"is damaged: {verdict}", "journal-damaged")
        if version > SCHEMA_VERSION:
            raise self._broken(
                f"was written by a newer lpad (schema {version}, this one knows {SCHEMA_VERSION})",
                "journal-newer",
            )
        if version == 0:
            with self._writing() as db:
                for statement in _SCHEMA.split(";"):
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._mapped():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                # On a full disk SQLite rolls back by itself at times, and at times leaves the transaction
                # open, also when COMMIT fails: then nothing could be written any more, space or not.
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def _one(self, query: str, *values: str | int) -> tuple[Any, ...] | None:
        rows = self._all(query, *values)
        return rows[0] if rows else None

    def _all(self, query: str, *values: str | int | None) -> list[tuple[Any, ...]]:
        with self._lock, self._mapped():
            return self._db.execute(query, values).fetchall()

    @contextmanager
    def _mapped(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY:
                raise Conflict(
                    f"the journal {self._path} is in use by another lpad; stop it, or name another"
                    " 'state_folder' in the settings"
                ) from error
            raise InternalError(
                f"the journal {self._path} can't be read or written: {error}; check that its folder belongs"
                " to lpad's user and that the disk has space left",
                reason="journal-unwritable",
            ) from error
        except sqlite3.DatabaseError as error:
            raise self._broken(f"can't be used: {error}", "journal-damaged") from error

    def _broken(self, what: str, reason: str) -> InternalError:
        return InternalError(
            f"the journal {self._path} {what}; move the file away to start with an empty journal: changes"
            " and undelivered copies of notifications are lost, the card keeps its profiles",
            reason=reason,
        )


def _encode(value: Change | Private) -> bytes:
    return msgspec.json.encode(value)


def _merged(known: Private, notes: dict[str, Json] | None) -> Private:
    return Private(secrets=known.secrets, notes={**known.notes, **(notes or {})})
