"""Reserved space on the journal's disk for last entries: the end of a change, when the disk is full.

On a full disk, lpad deletes a file next to the journal, which is as large as several such entries.
"""

from __future__ import annotations

import logging
import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

from lpad.base.regular_file import open_regular

if TYPE_CHECKING:
    from pathlib import Path

log = logging.getLogger(__name__)

SIZE = 256 * 1024
"""The reserved number of bytes; the end of a change needs about 30,000 until the next checkpoint."""


class Reserve:
    """The reserve of one journal; the caller must hold the journal's lock."""

    def __init__(self, journal: Path) -> None:
        self._path = journal.with_suffix(".reserve")
        self.spent = False
        """Whether the reserve was released, so that the remaining space is for last entries."""

    def fill(self) -> bool:
        """Reserve the space, if necessary; return whether it is reserved."""
        try:
            # Random bytes, because some file systems store zeros without using space.
            self._clear()
            handle = open_regular(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW)
            with os.fdopen(handle, "ab") as file:
                missing = SIZE - file.tell()
                if missing > 0:
                    file.write(os.urandom(missing))
                    file.flush()
                    os.fsync(file.fileno())
        except OSError as error:
            log.debug("no disk space is reserved for the journal's last entries: %s", error.strerror)
            with suppress(OSError):
                self._path.unlink(missing_ok=True)
            return False
        self.spent = False
        return True

    def _clear(self) -> None:
        """Rename an object other than a regular file: a pipe would block, a link would redirect the data."""
        if os.path.lexists(self._path) and not stat.S_ISREG(self._path.lstat().st_mode):
            self._path.rename(self._path.with_name(f"{self._path.name}.odd"))

    def spend(self) -> bool:
        """Release the space; return whether there was any."""
        try:
            self._path.unlink()
        except OSError:
            return False
        self.spent = True
        return True
