"""The journal: what was wanted, on disk before it is done, so that power may go at any instant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.engine.journal.changes import Changes
from lpad.engine.journal.database import Database
from lpad.engine.journal.notifications import Notifications

if TYPE_CHECKING:
    from pathlib import Path


class Journal:
    """The daemon's journal, table by table; usable from every thread."""

    def __init__(self, path: Path) -> None:
        """Open the file, or make it (readable by its owner alone).

        Raises:
            InternalError: unreadable, damaged, or written by a newer lpad; the sentence says what to do.
        """
        self._database = Database(path)
        self.changes = Changes(self._database)
        self.notifications = Notifications(self._database)

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()
