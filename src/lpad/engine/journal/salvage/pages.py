"""The pages of a database file that SQLite can no longer read, including its write-ahead log."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Self

from lpad.base.regular_file import NOT_REGULAR, open_regular
from lpad.engine.journal.salvage.write_ahead_log import WriteAheadLog, read_log

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

USUAL = 4096
"""The number of bytes of a page in a file that SQLite creates by default."""
MOST_BYTES = 256 * 1024 * 1024
"""The maximum number of bytes read of a file; a journal is far smaller."""
MOST_LOG_BYTES = 64 * 1024 * 1024
_NO_FILE = (errno.ELOOP, errno.ENXIO, errno.ENODEV, errno.EISDIR, errno.ENOTDIR)
_MAGIC = b"SQLite format 3\0"


class Pages:
    """A file and its log, page by page; unreadable pages are omitted and counted."""

    def __init__(self, path: Path, *, as_written: bool = True) -> None:
        """Open the file and read its log, if there is one.

        Raises:
            OSError: the file exists but cannot be opened.
        """
        head = b""
        self.unreadable = 0
        """The number of pages that the disk could not read."""
        self._file = _opened(path)
        if self._file is not None:
            head = self._read(0, 100) or b""
        size = int.from_bytes(head[16:18], "big")
        # 1 means 65,536. Any other value that is not a power of two in the format's range is damage.
        size = 65536 if size == 1 else size
        if not head.startswith(_MAGIC[:8]) or size < 512 or size & (size - 1):
            size = USUAL
        self.log = read_log_beside(path, size, as_written=as_written)
        self.size = self.log.page_size or size
        self.version = int.from_bytes(head[60:64], "big", signed=True)
        """The version in the file's header; page 1 in the log may have a newer one."""
        if 1 in self.log.pages:
            self.version = int.from_bytes(self.log.pages[1][60:64], "big", signed=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._file is not None:
            os.close(self._file)

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        length = 0 if self._file is None else min(os.fstat(self._file).st_size, MOST_BYTES)
        last = -(-length // self.size)
        # A wrong bit in a frame's page number must not make the range endless.
        beyond = sorted(number for number in self.log.pages if number > last)
        for number in (*range(1, last + 1), *beyond):
            page = self.page(number)
            if page is not None:
                yield number, page

    def page(self, number: int) -> bytes | None:
        """Return a page, filled up with zeros if the file ends in it; None if it cannot be read."""
        known = self.log.pages.get(number)
        if known is not None:
            return known
        content = self._read((number - 1) * self.size, self.size)
        return content.ljust(self.size, b"\0") if content else None

    def _read(self, at: int, size: int) -> bytes | None:
        if self._file is None or not 0 <= at < MOST_BYTES:
            return None
        try:
            return os.pread(self._file, size, at)
        except OSError:
            self.unreadable += 1
            return None


def _opened(path: Path) -> int | None:
    """Open a file for reading; return None if it is missing, a folder, a pipe, a socket or a device.

    Raises:
        OSError: the file exists but cannot be opened.
    """
    try:
        return open_regular(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.strerror == NOT_REGULAR or error.errno in _NO_FILE:
            return None
        raise


def read_log_beside(path: Path, size: int = USUAL, *, as_written: bool = True) -> WriteAheadLog:
    """Return the log next to a file; an empty one if it is missing or unreadable.

    Raises:
        PermissionError: lpad may not read the log, which does not mean that it is empty.
    """
    try:
        handle = _opened(path.with_name(f"{path.name}-wal"))
        if handle is None:
            return WriteAheadLog()
        with os.fdopen(handle, "rb") as file:
            return read_log(file.read(MOST_LOG_BYTES), page_size=size, as_written=as_written)
    except PermissionError:
        raise
    except OSError:
        return WriteAheadLog()
