"""The number of the last event that the broker has confirmed, kept across restarts."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from lpad.base.regular_file import read_regular
from lpad.base.untrusted_number import whole_number

if TYPE_CHECKING:
    from pathlib import Path

log = logging.getLogger(__name__)

_LONGEST = 32


class PositionFile:
    """A file with one number; replaced as a whole, so that a power cut leaves the old or the new number."""

    def __init__(self, path: Path) -> None:
        """Create the object for a file; its folder must exist when a number is written."""
        self._path = path

    def read(self) -> int:
        """Return the number; 0 if the file has no readable number, so that all kept events are sent again."""
        try:
            text = read_regular(self._path, most=_LONGEST).decode("ascii").strip()
        except FileNotFoundError:
            return 0
        except (OSError, ValueError) as error:
            log.warning("cannot read %s, so all kept events are sent again: %s", self._path, error)
            return 0
        found = whole_number(text)
        if found is None:
            log.warning("%s contains no number, so all kept events are sent again", self._path)
        return found or 0

    def write(self, position: int) -> None:
        """Store a number; if that fails, later events are sent again after a restart, with unchanged IDs."""
        fresh = self._path.with_suffix(".new")
        try:
            with fresh.open("w", encoding="ascii") as file:
                file.write(f"{position}\n")
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self._path)
        except OSError as error:
            log.warning("cannot write %s: %s", self._path, error.strerror)
