"""The journal's file: opened, brought to today's version, read, and written in transactions.

The one home of sqlite3. Write-ahead log and synchronous=FULL: a transaction that was left is on the disk.
"""

from __future__ import annotations

import sqlite3
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from lpad.engine.journal.schema import MIGRATIONS, SCHEMA_VERSION, statements
from lpad.errors import Conflict, InternalError, LpadError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Database:
    """One SQLite file; usable from every thread."""

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

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Write within one transaction: on the disk when it is left, undone where it fails.

        Raises:
            InternalError: it can't be written.
        """
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

    def row(self, query: str, *values: str | float | None) -> tuple[Any, ...] | None:
        """Return the first row, None where there is none.

        Raises:
            InternalError: it can't be read.
        """
        rows = self.rows(query, *values)
        return rows[0] if rows else None

    def rows(self, query: str, *values: str | float | None) -> list[tuple[Any, ...]]:
        """Return all rows.

        Raises:
            InternalError: they can't be read.
        """
        with self._lock, self._mapped():
            return self._db.execute(query, values).fetchall()

    def forget_deleted(self) -> None:
        """Empty the write-ahead log, in which what was deleted would stay readable."""
        with self._lock, self._mapped():
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

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
        for number, migration in enumerate(MIGRATIONS[version:], start=version + 1):
            with self.writing() as db:
                for statement in statements(migration):
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {number}")

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
