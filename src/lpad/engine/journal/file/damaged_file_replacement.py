"""The replacement of a damaged journal by a new one, safe against a power cut at any moment.

The new file is complete and on the disk under another name before the old one is changed. Then the old file
is renamed and kept, with its related files, and the new file gets its name. After a power cut in between, the
next start finds the complete new file and continues there; an incomplete one is removed, and the repair
begins again.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import stat
import struct
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from lpad.engine.journal.file.writability import JournalState, unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

log = logging.getLogger(__name__)

KEPT = 3
"""The number of the latest damaged files that are kept, so that a disk that damages a file every day does
not fill up."""
LARGEST_KEPT = 16 * 1024 * 1024
"""The maximum number of bytes kept of each file: a journal is far smaller, but another file in its place may
not be."""
_LOCKED_BYTES = struct.pack("hhqqi", fcntl.F_WRLCK, os.SEEK_SET, 0x40000000, 512, 0)
"""The bytes that SQLite locks, as a lock structure for fcntl(2)."""
_PARTS = ("", "-wal", "-shm", "-journal")


def beginning(path: Path) -> Path:
    """Create the new file, empty and unreadable for other users, and return its temporary name.

    Raises:
        OSError: the file cannot be created.
    """
    new = _free(_beginning(path))
    new.touch(0o600, exist_ok=False)  # SQLite would create the file with a different mode
    return new


def _beginning(path: Path) -> Path:
    return path.with_name(f"{path.name}.repairing")


def completed(path: Path) -> Path:
    """Return the name that the new file has once it is complete."""
    return path.with_name(f"{path.name}.repaired")


def complete(path: Path) -> None:
    """Mark a written new file as complete, so that it replaces the old one even after a power cut.

    Raises:
        OSError: the replacement is impossible.
    """
    new = _beginning(path)
    handle = os.open(new, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    new.rename(_free(completed(path)))
    _sync_folder(path)


def swap(path: Path) -> Path | None:
    """Keep the old files, put the new one in their place, and return the kept file's path, if any.

    Raises:
        OSError: the operation failed.
    """
    kept = set_aside(path)
    completed(path).rename(path)
    _sync_folder(path)
    return kept


def is_swap_due(path: Path) -> bool:
    """Return whether a complete new file is not yet in its place; an incomplete one is removed."""
    with suppress(OSError):
        _free(_beginning(path))
    try:
        return stat.S_ISREG(completed(path).lstat().st_mode)
    except OSError:
        return False


def set_aside(path: Path) -> Path | None:
    """Rename a damaged journal and its related files; return the new path, None if there is no file.

    The write-ahead log is renamed first, because a remaining log would be read as the new file's.

    Raises:
        OSError: the operation failed.
    """
    # The names are numbered, because the date is wrong on a board without a clock.
    last = max((_number(each) for each in damaged_files(path)), default=0)
    date = f"{datetime.now(UTC):%Y%m%dT%H%M%S}Z"
    target = path.with_name(f"{path.name}.damaged-{last + 1:04d}-{date}")
    found = False
    for part in reversed(_PARTS):
        source = path.with_name(path.name + part)
        if not os.path.lexists(source):
            continue
        kept = target.with_name(target.name + part)
        source.rename(kept)
        found = True
        _shorten(kept)
    if not found:
        return None
    if not target.exists():
        target.touch(0o600)  # so that the kept log is found and removed together with the file
    for old in damaged_files(path)[:-KEPT]:
        for part in _PARTS:
            _remove(old.with_name(old.name + part))
    return target


def drop_oldest(path: Path) -> bool:
    """Remove the oldest kept damaged file, to make room; return whether one was removed."""
    found = damaged_files(path)[:1]
    for each in found:
        for part in _PARTS:
            _remove(each.with_name(each.name + part))
    return bool(found) and not os.path.lexists(found[0])


def odd_part(path: Path) -> str | None:
    """Return a sentence about a path of the journal that is not a regular file; None if there is none."""
    for part in _PARTS:
        each = path.with_name(path.name + part)
        try:
            mode = each.lstat().st_mode
        except OSError:
            continue
        if not stat.S_ISREG(mode):
            return f"{each.name} is not a regular file"
    return None


def damaged_files(path: Path) -> list[Path]:
    """Return the damaged journals that were set aside, the oldest first."""
    try:
        found = list(path.parent.glob(f"{path.name}.damaged-[0-9][0-9][0-9][0-9]-*Z"))
    except OSError:
        return []
    return sorted(found)


def can_be_made(path: Path) -> bool:
    """Return whether a new file can be written next to the journal."""
    probe = path.with_name(f"{path.name}.probe")
    try:
        _free(probe)
        handle = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.write(handle, bytes(4096))
            os.fsync(handle)
        finally:
            os.close(handle)
            probe.unlink()
    except OSError:
        return False
    return True


def check_unlocked(handle: int, path: Path) -> None:
    """Check that no other process has the file open, because it may be writing.

    Raises:
        JournalUnavailable: another process has the file open.
    """
    kind = struct.unpack("hhqqi", fcntl.fcntl(handle, fcntl.F_GETLK, _LOCKED_BYTES))[0]
    if kind != fcntl.F_UNLCK:
        raise unavailable(path, JournalState.LOCKED, "another program has the journal open")


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Prevent another lpad process from repairing the same journal at the same time.

    Raises:
        JournalUnavailable: another lpad process is repairing the journal.
        OSError: the folder cannot be opened.
    """
    handle = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise unavailable(path, JournalState.LOCKED, "another lpad process is repairing it") from error
        except OSError as error:  # some file systems have no locks
            log.debug("cannot lock %s: %s", path.parent, error.strerror)
        yield
    finally:
        os.close(handle)


def _number(path: Path) -> int:
    return int(path.name.partition(".damaged-")[2][:4])


def _free(path: Path) -> Path:
    """Remove any object at one of lpad's paths, and return the path.

    Raises:
        OSError: the file cannot be removed.
    """
    if os.path.lexists(path):
        _remove(path)
        if os.path.lexists(path):
            raise FileExistsError(f"cannot remove {path}")
    return path


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except IsADirectoryError:
        shutil.rmtree(path, ignore_errors=True)
    except OSError as error:
        log.debug("cannot remove %s: %s", path, error.strerror)


def _shorten(path: Path) -> None:
    """Keep the beginning of a file that is far too large."""
    with suppress(OSError):
        found = path.lstat()
        if stat.S_ISREG(found.st_mode) and found.st_size > LARGEST_KEPT:
            os.truncate(path, LARGEST_KEPT)


def _sync_folder(path: Path) -> None:
    handle = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
