"""Whether the journal can be written; if not, the reason and the remedy."""

from __future__ import annotations

import enum
import errno
import sqlite3
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from lpad.base.errors import JournalUnavailable
from lpad.base.frozen import Frozen

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


class JournalState(enum.StrEnum):
    """The states of the journal."""

    OK = "ok"
    FULL = "full"  # no space on the journal's disk
    READ_ONLY = "read-only"  # lpad may not write the journal's file, folder or file system
    LOCKED = "locked"  # another program has the journal open
    DAMAGED = "damaged"  # the journal is not trustworthy, and no new journal can be created in its place
    NEWER = "newer"  # a later version of lpad wrote the journal
    UNWRITABLE = "unwritable"  # the disk fails, or another error occurs


class DamagedError(Exception):
    """The file is untrustworthy or unusable; the text explains why."""


class NewerError(Exception):
    """A later version of lpad wrote the file; the text states the file's schema version."""


_STATES: Mapping[int, JournalState] = {
    sqlite3.SQLITE_FULL: JournalState.FULL,
    sqlite3.SQLITE_READONLY: JournalState.READ_ONLY,
    sqlite3.SQLITE_PERM: JournalState.READ_ONLY,
    sqlite3.SQLITE_AUTH: JournalState.READ_ONLY,
    sqlite3.SQLITE_BUSY: JournalState.LOCKED,
    sqlite3.SQLITE_LOCKED: JournalState.LOCKED,
    sqlite3.SQLITE_NOMEM: JournalState.UNWRITABLE,
    sqlite3.SQLITE_CANTOPEN: JournalState.UNWRITABLE,
}
"""The states that are not damage, by SQLite's primary result code."""
_WRITING: Mapping[int, JournalState] = {
    sqlite3.SQLITE_IOERR: JournalState.UNWRITABLE,
    sqlite3.SQLITE_CONSTRAINT: JournalState.UNWRITABLE,
}
"""Further states that are not damage, for attempts to write."""
_ERRNOS: Mapping[int, JournalState] = {
    errno.EACCES: JournalState.READ_ONLY,
    errno.EPERM: JournalState.READ_ONLY,
    errno.EROFS: JournalState.READ_ONLY,
    errno.ENOSPC: JournalState.FULL,
    errno.EDQUOT: JournalState.FULL,
}
"""The state for each system error; for any other system error it is UNWRITABLE."""
NO_SPACE = frozenset(number for number, state in _ERRNOS.items() if state is JournalState.FULL)
"""The system's errors for a full disk."""
_BROKEN = frozenset({errno.EIO, errno.ELOOP, errno.EISDIR, errno.ENXIO})
"""The system's errors for an object that is not a regular file, or an unreadable disk."""

_ADVICE: Mapping[JournalState, str] = {
    JournalState.FULL: "free some space on its disk",
    JournalState.READ_ONLY: "check that its file and folder belong to lpad's user and that the file system is"
    " mounted read-write",
    JournalState.LOCKED: "stop the other lpad process, or the other program that has the file open, or name"
    " another 'state_folder' in the settings",
    JournalState.DAMAGED: "lpad repairs it as soon as it can write a new file into the folder",
    JournalState.NEWER: "install the newer lpad again, or name another 'state_folder' in the settings",
    JournalState.UNWRITABLE: "check that the disk works and that the file's folder exists",
}


class Repair(msgspec.Struct, frozen=True, kw_only=True):
    """One repair: when, why, and how many rows of each table were saved and lost.

    `lost_changes` are the known changes whose records are lost.
    """

    at: datetime
    cause: str
    saved: dict[str, int] = {}
    lost: dict[str, int] = {}
    lost_changes: tuple[int, ...] = ()


class JournalHealth(Frozen, kw_only=True):
    """The journal's state, the error for attempts to write, the kept damaged files and the repairs."""

    state: JournalState = JournalState.OK
    error: JournalUnavailable | None = None
    set_aside: tuple[str, ...] = ()
    repairs: tuple[Repair, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the journal can be written."""
        return self.state is JournalState.OK


def unavailable(path: Path, state: JournalState, why: object) -> JournalUnavailable:
    """Return the error for a journal that cannot be written, with its remedy."""
    return JournalUnavailable(
        f"the journal {path} cannot be written ({state}: {why}), so lpad does nothing that alters a card;"
        f" {_ADVICE[state]}",
        retryable=state not in (JournalState.NEWER, JournalState.DAMAGED),
        reason=f"journal-{state}",
    )


@contextmanager
def mapped(path: Path, *, writing: bool = False) -> Iterator[None]:
    """Convert a block's errors; a full disk, missing permission, a lock and low memory are not damage.

    Raises:
        DamagedError: the file is damaged.
        JournalUnavailable: the file is not damaged, but cannot be used.
    """
    try:
        yield
    except sqlite3.ProgrammingError as error:  # this happens if the file is closed, for example
        raise unavailable(path, JournalState.UNWRITABLE, error) from error
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
        state = _STATES.get(code & 0xFF) or (_WRITING.get(code & 0xFF) if writing else None)
        if code == sqlite3.SQLITE_IOERR_NOMEM:
            state = JournalState.UNWRITABLE
        if state is None:
            raise DamagedError(str(error)) from error
        raise unavailable(path, state, error) from error
    except UnicodeDecodeError as error:  # a stored text is no longer valid UTF-8
        raise DamagedError(str(error)) from error
    except MemoryError as error:
        raise unavailable(path, JournalState.UNWRITABLE, "out of memory") from error
    except NewerError as newer:
        raise unavailable(path, JournalState.NEWER, newer) from newer
    except OSError as error:
        if error.errno in _BROKEN:
            raise DamagedError(str(error)) from error
        state = _ERRNOS.get(error.errno or 0, JournalState.UNWRITABLE)
        raise unavailable(path, state, error.strerror) from error
