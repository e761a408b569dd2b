"""A damaged journal on its way out, and the new one on its way in: at any moment the power may go.

The new file is complete and on the disk under a name of its own before the old one is touched. Then the old
one is renamed, with what belongs to it, and is kept; then the new one gets its name. If the power goes in
between, the next start finds the complete new file and goes on there; an incomplete one is removed, and the
repair begins again.
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

from lpad.engine.journal.writability import JournalState, unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

log = logging.getLogger(__name__)

KEPT = 3
"""Damaged files that are kept, the latest ones: a disk that damages one a day must not fill up with them."""
LARGEST_KEPT = 16 * 1024 * 1024
"""Bytes of each file that are kept: a journal is far smaller, and whatever is in its place may not be."""
_LOCKED_BYTES = struct.pack("hhqqi", fcntl.F_WRLCK, os.SEEK_SET, 0x40000000, 512, 0)
"""Where SQLite sets its locks, as fcntl(2) wants to be asked."""
_PARTS = ("", "-wal", "-shm", "-journal")


def beginning(path: Path) -> Path:
    """Return the name of the new file while it is written, with nothing there."""
    return _free(path.with_name(f"{path.name}.repairing"))


def completed(path: Path) -> Path:
    """Return the name of the new file from when it is complete."""
    return path.with_name(f"{path.name}.repaired")


def complete(path: Path) -> None:
    """Have a new file that was written count from now on, even if the power goes.

    Raises:
        OSError: it can't be.
    """
    new = path.with_name(f"{path.name}.repairing")
    handle = os.open(new, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    new.rename(_free(completed(path)))
    _sync_folder(path)


def swap(path: Path) -> Path | None:
    """Keep the old files, put the new one in their place, and return the kept file's path.

    Raises:
        OSError: it can't be done.
    """
    kept = set_aside(path)
    completed(path).rename(path)
    _sync_folder(path)
    return kept


def is_swap_due(path: Path) -> bool:
    """Whether a new file is complete and not yet in its place; what was not completed is removed."""
    with suppress(OSError):
        beginning(path)
    try:
        return stat.S_ISREG(completed(path).lstat().st_mode)
    except OSError:
        return False


def set_aside(path: Path) -> Path | None:
    """Rename a damaged journal and what belongs to it; None if there is nothing.

    Its write-ahead log goes first: left behind, it would be taken for the new file's.

    Raises:
        OSError: it can't be done.
    """
    # Numbered, since the date is wrong on a board without a clock.
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
        target.touch(0o600)  # so that what was kept of its log is found, and goes, with it
    for old in damaged_files(path)[:-KEPT]:
        for part in _PARTS:
            _remove(old.with_name(old.name + part))
    return target


def drop_oldest(path: Path) -> bool:
    """Remove the oldest of the damaged files that are kept, to make room; return whether there was one."""
    found = damaged_files(path)[:1]
    for each in found:
        for part in _PARTS:
            _remove(each.with_name(each.name + part))
    return bool(found) and not os.path.lexists(found[0])


def odd_part(path: Path) -> str | None:
    """Return what lies in the place of a journal's file or of one that belongs to it, and is none of ours."""
    for part in _PARTS:
        each = path.with_name(path.name + part)
        try:
            mode = each.lstat().st_mode
        except OSError:
            continue
        if not stat.S_ISREG(mode):
            return f"{each.name} is not a file"
    return None


def damaged_files(path: Path) -> list[Path]:
    """Return the damaged journals that were set aside, the oldest first."""
    try:
        found = list(path.parent.glob(f"{path.name}.damaged-[0-9][0-9][0-9][0-9]-*Z"))
    except OSError:
        return []
    return sorted(found)


def can_be_made(path: Path) -> bool:
    """Whether a new file can be written next to the journal."""
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
    """See that no other process has the file: its lpad may be in the middle of writing.

    Raises:
        JournalUnavailable: one has.
    """
    kind = struct.unpack("hhqqi", fcntl.fcntl(handle, fcntl.F_GETLK, _LOCKED_BYTES))[0]
    if kind != fcntl.F_UNLCK:
        raise unavailable(path, JournalState.LOCKED, "another program has the journal open")


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Keep a second lpad from repairing the same journal meanwhile.

    Raises:
        JournalUnavailable: one does.
        OSError: the folder can't be opened.
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
    """Remove whatever has a name of ours.

    Raises:
        OSError: it can't be removed.
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
