"""Space on the journal's disk that is kept for last words: how a change has ended, when the disk is full.

A file beside the journal, of the size of several such records, that is given up then.
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
"""Bytes; the end of a change takes some 30 thousand, until the next checkpoint."""


class Reserve:
    """One journal's; whoever uses it holds the journal's lock."""

    def __init__(self, journal: Path) -> None:
        self._path = journal.with_suffix(".reserve")
        self.spent = False
        """Whether it was given up, so that what room there is belongs to last words."""

    def fill(self) -> bool:
        """Keep the space, where that is not done yet; return whether it is kept."""
        try:
            # Noise: some file systems take zeros without taking room for them.
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
        """Move away what is not a file: a pipe would be waited for, and a link's target written to."""
        if os.path.lexists(self._path) and not stat.S_ISREG(self._path.lstat().st_mode):
            self._path.rename(self._path.with_name(f"{self._path.name}.odd"))

    def spend(self) -> bool:
        """Give the space up; return whether there was some."""
        try:
            self._path.unlink()
        except OSError:
            return False
        self.spent = True
        return True
