"""A place is one run's at a time: whoever has it holds a lock, which goes with the last of its processes."""

from __future__ import annotations

import fcntl
from typing import TYPE_CHECKING

from lpad.base.errors import Conflict

if TYPE_CHECKING:
    from pathlib import Path


class Claim:
    """A place's, until it is closed or the process ends; a child that inherits `fileno` holds it as well."""

    def __init__(self, folder: Path, *, place: str) -> None:
        """Claim a place.

        Args:
            folder: where the bench keeps the place's files; made when missing.
            place: its name, for people.

        Raises:
            Conflict: another run has it.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._file = (folder / "claim").open("w")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.close()
            raise Conflict(
                f"claiming the place {place} failed: another run works at it; wait for its end, or"
                " leave the place out with --place"
            ) from error

    def close(self) -> None:
        """Give the place to whoever wants it."""
        self._file.close()

    def fileno(self) -> int:
        """Return the descriptor, to be handed to children."""
        return self._file.fileno()
