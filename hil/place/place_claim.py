"""The claim on a place: one run at a time has the lock, until the last process of that run ends."""

from __future__ import annotations

import fcntl
from typing import TYPE_CHECKING

from lpad.base.errors import Conflict

if TYPE_CHECKING:
    from pathlib import Path


class Claim:
    """The claim on a place, until it is closed or the process ends.

    A child process that inherits `fileno` keeps the claim, too.
    """

    def __init__(self, folder: Path, *, place: str) -> None:
        """Claim a place.

        Args:
            folder: the folder of the place's files; created if missing.
            place: the place's name, for messages.

        Raises:
            Conflict: another run uses the place.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._file = (folder / "claim").open("w")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.close()
            raise Conflict(
                f"cannot use the place {place}: another run uses it; wait for the end of that run, or "
                f"select other places with --place"
            ) from error

    def close(self) -> None:
        """Release the place."""
        self._file.close()

    def fileno(self) -> int:
        """Return the descriptor, for child processes to inherit."""
        return self._file.fileno()
