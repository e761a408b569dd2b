"""The journal's file: opened, brought to the current version, read, and written in transactions.

Write-ahead log and synchronous=FULL: a finished transaction is on the disk. An unusable file never prevents
the daemon's start. A damaged file is repaired, at the start or during reading and writing. If lpad cannot use
or repair the file, it reads a copy in memory instead, and refuses every attempt to write, with the reason.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
from contextlib import closing, contextmanager, suppress
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from msgspec.structs import replace

from lpad.base.errors import JournalUnavailable
from lpad.engine.journal.file import damaged_file_replacement
from lpad.engine.journal.file.checksummed_rows import keep_sealed
from lpad.engine.journal.file.damaged_file_replacement import damaged_files, drop_oldest
from lpad.engine.journal.file.disk_reserve import Reserve
from lpad.engine.journal.file.migration import migrate
from lpad.engine.journal.file.row_salvage import Salvage, fill, new_report, read_reports, salvage
from lpad.engine.journal.file.schema import CHECKSUMS_SINCE, SCHEMA_VERSION
from lpad.engine.journal.file.verification import HEADER, examine, examine_header, examine_version
from lpad.engine.journal.file.writability import (
    NO_SPACE,
    DamagedError,
    JournalHealth,
    JournalState,
    NewerError,
    mapped,
    unavailable,
)
from lpad.engine.journal.salvage.pages import read_log_beside

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from lpad.engine.journal.file.verification import Check
    from lpad.engine.journal.file.writability import Repair

log = logging.getLogger(__name__)

_P = ParamSpec("_P")
_S = TypeVar("_S")
_T = TypeVar("_T")

Transaction = sqlite3.Connection
"""The transaction of `Database.writing`: its statements are carried out together or not at all."""

UNWRITABLE_FOR = 300.0
"""Seconds after which a file counts as damaged if it cannot be written although a new one next to it can."""

_SHOWN = (JournalState.READ_ONLY, JournalState.UNWRITABLE, JournalState.FULL, JournalState.DAMAGED)
"""The states in which lpad shows the readable part of the file: no other program uses the file, and no later
version of lpad wrote it."""
_AGEING = (JournalState.READ_ONLY, JournalState.UNWRITABLE)
"""The states that count as damage if they last for `UNWRITABLE_FOR` seconds."""
_ODD_CONTENT = (ValueError, TypeError, LookupError, ArithmeticError, RecursionError)
"""Errors that occur when code reads values that lpad never writes."""


class RepairedError(JournalUnavailable):
    """The journal was damaged and repaired; nothing was written, and an immediate retry is possible."""


def again_if_repaired(
    method: Callable[Concatenate[_S, _P], _T],
) -> Callable[Concatenate[_S, _P], _T]:
    """Call a writing method a second time if the journal was damaged and repaired during the first call."""

    @wraps(method)
    def called(self: _S, /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        try:
            return method(self, *args, **kwargs)
        except RepairedError:
            return method(self, *args, **kwargs)

    return called


class Database:
    """One SQLite file; usable from every thread."""

    def __init__(self, path: Path, checks: Mapping[str, Check]) -> None:
        """Open the file, or create it (readable only by its owner); `health` has the result.

        Args:
            path: the file's path; a symbolic link is followed, so that a repair leaves it unchanged.
            checks: for each table, the function that reads a row; a repair leaves out unreadable rows.
        """
        with suppress(OSError, RuntimeError):  # a link that leads to itself is set aside like a damaged file
            path = path.resolve()
        self._path = path
        self._checks = checks
        self._lock = threading.RLock()
        self.on_trouble: Callable[[], None] = lambda: None
        """Called, from any thread, when the file cannot be written, or was repaired; must return
        immediately."""
        self._health = JournalHealth(set_aside=_names(path))
        self._stand_in = False
        self._unread: JournalUnavailable | None = None
        self._closed = False
        self._writable_beside: float | None = None
        self._reserve = Reserve(path)
        self._deferred: list[tuple[str, tuple[int, ...]]] = []
        self._db = self._open()

    @property
    def health(self) -> JournalHealth:
        """The journal's state, as shown by the last attempt to write, or by a later failed reading."""
        return self._health

    def close(self) -> None:
        """Carry out deferred statements, if possible, and close the file."""
        with self._lock:
            if self._deferred and self._health.ok:
                with suppress(JournalUnavailable), self.writing():
                    pass
            self._closed = True
            self._db.close()

    def try_again(self) -> bool:
        """Try to write again after a failure; return whether the file can be written.

        A file that stays unwritable for `UNWRITABLE_FOR` seconds counts as damaged if a new one can be
        created next to it.
        """
        with self._lock:
            if self._closed or (self._reserve.spent and not self._reserve.fill()):
                return False
            if self._stand_in or self._health.state in (JournalState.DAMAGED, *_AGEING):
                self._db.close()
                self._db = self._open()
            with suppress(JournalUnavailable), self.writing() as db:
                db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            if self._has_aged():
                why = (
                    f"it could not be written for {UNWRITABLE_FOR:.0f} seconds, although a new file can be"
                    " written"
                )
                self._db.close()
                self._db = self._open(DamagedError(f"{why}: {self._health.error}"))
            return self._health.ok

    def make_room(self) -> bool:
        """Release the reserved space for last entries; return whether a full disk now has space."""
        with self._lock:
            full = self._health.state is JournalState.FULL
            return full and (self._reserve.spent or self._reserve.spend())

    def deferred(self, statement: str) -> frozenset[int]:
        """Return the first argument of each deferred use of a statement."""
        with self._lock:
            return frozenset(values[0] for waiting, values in self._deferred if waiting == statement)

    def defer(self, statement: str, *values: int) -> None:
        """Carry out a statement at the beginning of the next transaction, or when the file is closed.

        A deferred statement is lost if the process ends early, so lpad must be able to determine its effect
        without it.
        """
        with self._lock:
            self._deferred.append((statement, values))

    @contextmanager
    def writing(self, *, last_words: bool = False) -> Iterator[sqlite3.Connection]:
        """Write within one transaction, which is on the disk at its end, or is undone if it fails.

        Args:
            last_words: whether the space released by `make_room` may be used.

        Raises:
            JournalUnavailable: the journal cannot be written.
        """
        with self._lock:
            if self._health.error is not None and (
                self._stand_in
                or self._health.state is JournalState.DAMAGED
                or (self._reserve.spent and not last_words)
            ):
                raise self._health.error
            try:
                with self._told(writing=True):
                    self._db.execute("BEGIN IMMEDIATE")
                    try:
                        deferred = len(self._deferred)
                        for statement, values in self._deferred:
                            self._db.execute(statement, values)
                        yield self._db
                        self._db.execute("COMMIT")
                        del self._deferred[:deferred]
                    except BaseException:
                        # On a full disk, SQLite sometimes rolls back, and sometimes leaves the transaction
                        # open, even if COMMIT fails: then nothing could be written any more, even with free
                        # space.
                        if self._db.in_transaction:
                            self._db.execute("ROLLBACK")
                        raise
            except DamagedError as damage:
                self._mend(damage)
                raise RepairedError(
                    f"the journal {self._path} was damaged and has been repaired; ask again", retryable=True
                ) from damage
            if not self._health.ok and not self._reserve.spent:
                log.info("the journal %s can be written again", self._path)
                self._health = replace(self._health, state=JournalState.OK, error=None)

    def row(self, query: str, *values: str | float | None) -> tuple[Any, ...] | None:
        """Return the first row; None if there is none.

        Raises:
            JournalUnavailable: the journal cannot be read.
        """
        rows = self.rows(query, *values)
        return rows[0] if rows else None

    def rows(self, query: str, *values: str | float | None) -> list[tuple[Any, ...]]:
        """Return all rows; a damaged file is repaired first.

        Raises:
            JournalUnavailable: the journal cannot be read.
        """
        with self._lock:
            try:
                return self._read(query, values)
            except DamagedError as damage:
                self._mend(damage)
            try:
                return self._read(query, values)
            except DamagedError as damage:
                trouble = unavailable(self._path, JournalState.DAMAGED, damage)
                self._trouble(JournalState.DAMAGED, trouble)
                raise trouble from damage

    def _read(self, query: str, values: tuple[str | float | None, ...]) -> list[tuple[Any, ...]]:
        if self._unread is not None:
            raise self._unread
        with self._told():
            return self._db.execute(query, values).fetchall()

    def forget_deleted(self) -> None:
        """Empty the write-ahead log, in which deleted data would stay readable."""
        with self._lock:
            try:
                with self._told(writing=True):
                    self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            except DamagedError as damage:
                self._mend(damage)

    # Opening and repairing.

    def _open(self, damage: DamagedError | None = None) -> sqlite3.Connection:
        """Open the file, after a repair if it is damaged; if it is unusable, create the copy to read instead.

        Args:
            damage: why the file must be repaired, if already known.
        """
        try:
            opened = self._opened() if damage is None else self._repaired(damage)
        except DamagedError as found:
            try:
                opened = self._repaired(found)
            except JournalUnavailable as trouble:
                return self._read_only(trouble)
        except JournalUnavailable as trouble:
            return self._read_only(trouble)
        self._stand_in = False
        self._unread = self._writable_beside = None
        self._health = JournalHealth(set_aside=_names(self._path), repairs=self._reports(opened))
        self._reserve.fill()
        return opened

    def _opened(self) -> sqlite3.Connection:
        """Complete an interrupted repair; then open the file, examine it and bring it to the current version.

        Raises:
            DamagedError: the file must be repaired.
            JournalUnavailable: the file cannot be used, or a later version of lpad wrote it.
        """
        path = self._path
        with mapped(self._path):
            if damaged_file_replacement.is_swap_due(path):
                with damaged_file_replacement.alone(path):
                    damaged_file_replacement.swap(path)
                log.warning("the repair of the journal %s was interrupted; lpad completes it now", path)
            self._look(path)
            opened = sqlite3.connect(path, timeout=1, check_same_thread=False, isolation_level=None)
        try:
            with mapped(self._path):
                _prepare(opened)
                version = examine_version(opened)
                if CHECKSUMS_SINCE <= version < SCHEMA_VERSION:
                    examine(opened, self._checks)  # a migration would give damaged rows valid checksums
                migrate(opened)
                examine(opened, self._checks)
                keep_sealed(opened)
        except _ODD_CONTENT as odd:
            opened.close()
            raise DamagedError(f"its content is not valid: {odd}") from odd
        except BaseException:
            opened.close()
            raise
        return opened

    def _look(self, path: Path) -> None:
        """Check the file before SQLite does, which mistakes some damage for a power cut or for a setting."""
        odd = damaged_file_replacement.odd_part(path)
        if odd is not None:
            raise DamagedError(odd)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, 0o600)
        try:
            damaged_file_replacement.check_unlocked(handle, path)
            examine_header(os.pread(handle, HEADER, 0))
            size = os.fstat(handle).st_size
        finally:
            os.close(handle)
        found = read_log_beside(path)
        if found.damaged or (found.pages and not size):
            raise DamagedError("its write-ahead log contains more than SQLite would read")

    def _repaired(self, damage: DamagedError) -> sqlite3.Connection:
        """Replace a damaged file by a new one with all readable data, and open it.

        Raises:
            JournalUnavailable: the journal cannot be repaired now.
        """
        path = self._path
        log.error("the journal %s is damaged (%s); lpad repairs it", path, damage)
        try:
            with damaged_file_replacement.alone(path):
                found = self._salvaged()
                report = self._rebuilt(found, damage)
                kept = damaged_file_replacement.swap(path)
            opened = self._opened()
        except NewerError as newer:
            raise unavailable(path, JournalState.NEWER, newer) from newer
        except JournalUnavailable as trouble:
            if _state_of(trouble) in (JournalState.LOCKED, JournalState.NEWER):
                raise
            raise unavailable(
                path, JournalState.DAMAGED, f"{damage}; {trouble.__cause__ or trouble}"
            ) from trouble
        except (OSError, sqlite3.Error, DamagedError) as error:
            raise unavailable(
                path, JournalState.DAMAGED, f"{damage}; cannot create a new file: {error}"
            ) from error
        log.warning(
            "the journal %s was repaired: saved: %s; lost: %s; lost changes: %s; the old file is kept as %s",
            path, _counted(report.saved), _counted(report.lost), list(report.lost_changes), kept,
        )  # fmt: skip
        return opened

    def _salvaged(self) -> Salvage:
        try:
            return salvage(self._path)
        except OSError as error:
            if not self._has_aged():
                raise
            log.warning("cannot read anything from the journal %s: %s", self._path, error.strerror)
            return Salvage()

    def _rebuilt(self, found: Salvage, damage: DamagedError) -> Repair:
        """Write a new, complete file; on a full disk, use the reserve and the space of kept damaged files."""
        while True:
            try:
                with closing(
                    sqlite3.connect(damaged_file_replacement.beginning(self._path), isolation_level=None)
                ) as new:
                    new.execute("PRAGMA synchronous = OFF")  # the file is not used before it is complete
                    new.execute("PRAGMA journal_mode = MEMORY")
                    new.execute("PRAGMA secure_delete = ON")
                    report = fill(new, found, self._checks, new_report(damage))
                damaged_file_replacement.complete(self._path)
            except (OSError, sqlite3.Error) as error:
                full = getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_FULL
                full = full or (isinstance(error, OSError) and error.errno in NO_SPACE)
                if not full or not (self._reserve.spend() or drop_oldest(self._path)):
                    raise
            else:
                return report

    def _read_only(self, trouble: JournalUnavailable) -> sqlite3.Connection:
        """Create the copy that is read in place of the file, and record why nothing can be written."""
        state = _state_of(trouble)
        self._unread = None
        in_memory = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        found = Salvage()
        reports: tuple[Repair, ...] = ()
        if state in _SHOWN:
            try:
                found = salvage(self._path)
            except (OSError, NewerError):
                self._unread = trouble
            # A missing file may be elsewhere, such as on a disk that is not mounted: missing does not
            # mean empty.
            if not found.version:
                self._unread = trouble
            reports = found.reports
        with suppress(sqlite3.Error):
            fill(in_memory, found, self._checks, new_report(trouble))
            keep_sealed(in_memory)
        self._stand_in = True
        self._health = replace(self._health, repairs=reports)
        self._trouble(state, trouble)
        return in_memory

    def _mend(self, damage: DamagedError) -> None:
        """Close a damaged file, and open it again, repaired if necessary.

        Raises:
            JournalUnavailable: nothing can be read, or the file is closed.
        """
        if self._closed:
            raise unavailable(self._path, JournalState.UNWRITABLE, "lpad is stopping")
        log.error("the journal %s: %s", self._path, damage)
        with suppress(sqlite3.Error):
            self._db.close()
        self._db = self._open()
        if self._health.error is not None and self._unread is not None:
            raise self._health.error
        if self._health.ok:
            self.on_trouble()

    def _has_aged(self) -> bool:
        """Return whether the file was unwritable for long, although a new file could be written meanwhile."""
        if self._health.state not in _AGEING or not damaged_file_replacement.can_be_made(self._path):
            self._writable_beside = None
            return False
        if self._writable_beside is None:
            self._writable_beside = time.monotonic()
        return time.monotonic() - self._writable_beside >= UNWRITABLE_FOR

    @contextmanager
    def _told(self, *, writing: bool = False) -> Iterator[None]:
        """Convert errors to lpad's own, and record the journal's state."""
        try:
            with mapped(self._path, writing=writing):
                yield
        except JournalUnavailable as trouble:
            if not self._stand_in and not self._closed:
                self._trouble(_state_of(trouble), trouble)
            raise

    def _trouble(self, state: JournalState, error: JournalUnavailable) -> None:
        if self._health.state is not state:
            log.error("%s (%s)", error.sentence, error.kind)
        self._health = replace(self._health, state=state, error=error, set_aside=_names(self._path))
        self._has_aged()
        self.on_trouble()

    @staticmethod
    def _reports(db: sqlite3.Connection) -> tuple[Repair, ...]:
        row = db.execute("SELECT value FROM about WHERE name = 'repairs'").fetchone()
        return read_reports(row[0]) if row else ()


def _prepare(db: sqlite3.Connection) -> None:
    # Two daemons with one journal would continue each other's changes.
    db.execute("PRAGMA locking_mode = EXCLUSIVE")
    (mode,) = db.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise DamagedError(f"it cannot use a write-ahead log; its journal mode is '{mode}'")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("PRAGMA secure_delete = ON")
    db.execute("PRAGMA cache_size = -256")
    db.execute("PRAGMA temp_store = MEMORY")


def _state_of(trouble: JournalUnavailable) -> JournalState:
    return JournalState(str(trouble.details["reason"]).removeprefix("journal-"))


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {table}" for table, number in counts.items()) or "nothing"


def _names(path: Path) -> tuple[str, ...]:
    return tuple(str(each) for each in damaged_files(path))
