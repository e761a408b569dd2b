"""The journal's file: opened, brought to today's version, read, and written in transactions.

The one home of sqlite3. Write-ahead log and synchronous=FULL: a transaction that was left is on the disk.
A file that can't be used never keeps the daemon from starting: then a copy in memory, or an empty journal,
is read in its place, and every attempt to write is refused with the reason.
"""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
import tempfile
import threading
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lpad.base.errors import JournalUnavailable
from lpad.engine.journal.damaged_file import damaged_files, set_aside
from lpad.engine.journal.disk_reserve import Reserve
from lpad.engine.journal.schema import MIGRATIONS, SCHEMA_VERSION, statements
from lpad.engine.journal.writability import JournalHealth, JournalState, unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

log = logging.getLogger(__name__)

Transaction = sqlite3.Connection
"""What `Database.writing` lends: statements are carried out together or not at all."""

_STATES: Mapping[int, JournalState] = {
    sqlite3.SQLITE_FULL: JournalState.FULL,
    sqlite3.SQLITE_READONLY: JournalState.READ_ONLY,
    sqlite3.SQLITE_PERM: JournalState.READ_ONLY,
    sqlite3.SQLITE_BUSY: JournalState.LOCKED,
    sqlite3.SQLITE_LOCKED: JournalState.LOCKED,
    sqlite3.SQLITE_CORRUPT: JournalState.DAMAGED,
    sqlite3.SQLITE_NOTADB: JournalState.DAMAGED,
}
"""By SQLite's primary result code; any other is UNWRITABLE."""

_COPIED = (JournalState.READ_ONLY, JournalState.UNWRITABLE, JournalState.FULL)
"""States of a file that can't be opened for writing, but is whole and nobody else's."""

_APART = 1_000_000
"""Where the file that knew the last change's number can't be read, new numbers begin so much higher."""


class Database:
    """One SQLite file; usable from every thread."""

    def __init__(self, path: Path) -> None:
        """Open the file, or make it (readable by its owner alone); `health` says what came of it."""
        self._path = path
        self._lock = threading.RLock()
        self.on_trouble: Callable[[], None] = lambda: None
        """Called, from any thread, when the file turns out not to be writable; returns at once."""
        self._health = JournalHealth(set_aside=_names(path))
        self._stand_in = False
        self._last_change = 0
        self._reserve = Reserve(path)
        self._db = self._open()

    @property
    def health(self) -> JournalHealth:
        """Whether it can be written, as the last attempt showed."""
        return self._health

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._db.close()

    def try_again(self) -> bool:
        """Try to write where that was not possible before; return whether all is well.

        A file that was found to be damaged meanwhile is set aside, and a new one begun.
        """
        with self._lock:
            if self._reserve.spent and not self._reserve.fill():
                return False
            if self._stand_in or self._health.state is JournalState.DAMAGED:
                self._last_change = max(self._last_change, _last_change(self._db))
                self._db.close()
                self._db = self._open()
            else:
                with suppress(JournalUnavailable), self.writing() as db:
                    db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            return self._health.ok

    def make_room(self) -> bool:
        """Give up the space that is kept for last words; return whether there is some on a full disk."""
        with self._lock:
            full = self._health.state is JournalState.FULL
            return full and (self._reserve.spent or self._reserve.spend())

    @contextmanager
    def writing(self, *, last_words: bool = False) -> Iterator[sqlite3.Connection]:
        """Write within one transaction: on the disk when it is left, undone where it fails.

        Args:
            last_words: whether the space that was made by `make_room` may be taken.

        Raises:
            JournalUnavailable: it can't be written.
        """
        with self._lock:
            if self._health.error is not None and (
                self._stand_in
                or self._health.state is JournalState.DAMAGED
                or (self._reserve.spent and not last_words)
            ):
                raise self._health.error
            with self._told():
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
            if not self._health.ok and not self._reserve.spent:
                log.info("the journal %s can be written again", self._path)
                self._health = replace(self._health, state=JournalState.OK, error=None)

    def row(self, query: str, *values: str | float | None) -> tuple[Any, ...] | None:
        """Return the first row, None where there is none.

        Raises:
            JournalUnavailable: it can't be read.
        """
        rows = self.rows(query, *values)
        return rows[0] if rows else None

    def rows(self, query: str, *values: str | float | None) -> list[tuple[Any, ...]]:
        """Return all rows.

        Raises:
            JournalUnavailable: they can't be read.
        """
        with self._lock, self._told():
            return self._db.execute(query, values).fetchall()

    def forget_deleted(self) -> None:
        """Empty the write-ahead log, in which what was deleted would stay readable."""
        with self._lock, self._told():
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _open(self) -> sqlite3.Connection:
        """Return the file, a new one in the place of a damaged one, or what is read in its place."""
        try:
            opened = self._opened()
        except JournalUnavailable as trouble:
            moved = None
            if trouble.details["reason"] == f"journal-{JournalState.DAMAGED}":
                self._last_change = max(self._last_change, _salvaged(self._path))
                moved = set_aside(self._path)
            if moved is None:
                return self._read_only(trouble)
            log.warning(
                "%s; set aside as %s; an empty journal is begun: changes that were queued or cut off are"
                " forgotten, and notifications are copied from the card again.",
                trouble.sentence,
                moved,
            )
            self._last_change += _APART if not self._last_change else 0
            try:
                opened = self._opened()
            except JournalUnavailable as again:
                return self._read_only(again)
        self._stand_in = False
        self._health = JournalHealth(set_aside=_names(self._path))
        return opened

    def _opened(self) -> sqlite3.Connection:
        try:
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        except OSError as error:
            denied = isinstance(error, PermissionError) or error.strerror == os.strerror(30)
            state = JournalState.READ_ONLY if denied else JournalState.UNWRITABLE
            raise unavailable(self._path, state, error.strerror) from error
        with self._mapped():
            opened = sqlite3.connect(self._path, timeout=1, check_same_thread=False, isolation_level=None)
        try:
            with self._mapped():
                self._prepare(opened)
        except JournalUnavailable:
            opened.close()
            raise
        self._reserve.fill()
        return opened

    def _prepare(self, db: sqlite3.Connection) -> None:
        # Two daemons on one journal would settle each other's changes.
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA secure_delete = ON")
        db.execute("PRAGMA cache_size = -256")
        (verdict,) = db.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise unavailable(self._path, JournalState.DAMAGED, verdict)
        version = _version(db)
        if version > SCHEMA_VERSION:
            newer = f"schema {version}, this lpad knows {SCHEMA_VERSION}"
            raise unavailable(self._path, JournalState.NEWER, newer)
        if not _columns(db) >= _columns_of_version(version):
            raise unavailable(self._path, JournalState.DAMAGED, f"tables of schema {version} are missing")
        _migrate(db)
        if self._last_change and not version:
            db.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('changes', ?)", (self._last_change,))

    def _read_only(self, trouble: JournalUnavailable) -> sqlite3.Connection:
        """Return what is read in the file's place, and remember why nothing can be written."""
        state = JournalState(str(trouble.details["reason"]).removeprefix("journal-"))
        in_memory = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        if state in _COPIED:
            _copy(self._path, in_memory)
        _migrate(in_memory)
        self._stand_in = True
        self._trouble(state, trouble)
        return in_memory

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Map SQLite's errors, and remember what they say of the journal."""
        try:
            with self._mapped():
                yield
        except JournalUnavailable as trouble:
            state = JournalState(str(trouble.details["reason"]).removeprefix("journal-"))
            if not self._stand_in:
                self._trouble(state, trouble)
            raise

    def _trouble(self, state: JournalState, error: JournalUnavailable) -> None:
        if self._health.state is not state:
            log.error("%s (%s)", error.sentence, error.kind)
        self._health = JournalHealth(state=state, error=error, set_aside=_names(self._path))
        self.on_trouble()

    @contextmanager
    def _mapped(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
            raise unavailable(self._path, _STATES.get(code, JournalState.UNWRITABLE), error) from error


def _migrate(db: sqlite3.Connection, *, to: int = SCHEMA_VERSION) -> None:
    first = _version(db)
    for number, migration in enumerate(MIGRATIONS[first:to], start=first + 1):
        db.execute("BEGIN IMMEDIATE")
        try:
            for statement in statements(migration):
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {number}")
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise


def _columns(db: sqlite3.Connection) -> set[tuple[str, str]]:
    """Return the columns of all tables, each with its table's name."""
    return set(
        db.execute(
            "SELECT tables.name, columns.name FROM sqlite_master AS tables"
            " JOIN pragma_table_info(tables.name) AS columns WHERE tables.type = 'table'"
        )
    )


def _columns_of_version(version: int) -> set[tuple[str, str]]:
    """Return the columns that a file of this version has, whatever others it has besides."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as model:
        _migrate(model, to=version)
        return _columns(model)


def _version(db: sqlite3.Connection) -> int:
    (version,) = db.execute("PRAGMA user_version").fetchone()
    return int(version)


def _copy(path: Path, target: sqlite3.Connection) -> None:
    """Copy a file that can't be opened where it is, by way of a folder that can be written."""
    with suppress(OSError, sqlite3.DatabaseError), tempfile.TemporaryDirectory() as folder:
        copied = Path(folder) / path.name
        for part in ("", "-wal"):
            with suppress(FileNotFoundError):
                shutil.copyfile(f"{path}{part}", f"{copied}{part}")
        with closing(sqlite3.connect(copied)) as source:
            if _version(source) <= SCHEMA_VERSION:
                source.backup(target)


def _salvaged(path: Path) -> int:
    """Return the last change's number of a damaged file, 0 where it can't be read any more."""
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
            return _last_change(db)
    except sqlite3.DatabaseError:
        return 0


def _last_change(db: sqlite3.Connection) -> int:
    try:
        row = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'changes'").fetchone()
    except sqlite3.DatabaseError:
        return 0
    return int(row[0]) if row else 0


def _names(path: Path) -> tuple[str, ...]:
    return tuple(str(each) for each in damaged_files(path))
