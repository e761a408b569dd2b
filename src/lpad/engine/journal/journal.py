"""The journal: what was wanted, on disk before it is done, so that power may go at any instant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.engine.journal.changes import Changes, Retention, check_change
from lpad.engine.journal.database import Database
from lpad.engine.journal.memos import Memos, check_memo
from lpad.engine.journal.notifications import Notifications, check_notification
from lpad.engine.journal.requests import Requests

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lpad.engine.journal.writability import JournalHealth


CHECKS = {"changes": check_change, "memos": check_memo, "notifications": check_notification}
"""What reads the content of a table's rows."""


class Journal:
    """The daemon's journal, table by table; usable from every thread."""

    def __init__(self, path: Path, *, retention: Retention | None = None) -> None:
        """Open the file, or make it (readable by its owner alone); `health` says what came of it.

        If it can't be written, what can be read of it is read, and writing raises JournalUnavailable. From
        a damaged file each row that can be believed goes into a new one, and the file is kept.

        Args:
            path: where it is.
            retention: which changes stay in it.
        """
        self._database = Database(path, CHECKS)
        self.changes = Changes(self._database, retention or Retention())
        self.requests = Requests(self._database)
        self.notifications = Notifications(self._database)
        self.memos = Memos(self._database)

    @property
    def health(self) -> JournalHealth:
        """Whether it can be written, as the last attempt showed."""
        return self._database.health

    def on_trouble(self, tell: Callable[[], None]) -> None:
        """Have `tell` called, from any thread, when the journal turns out not to be writable."""
        self._database.on_trouble = tell
        if not self.health.ok:
            tell()

    def try_again(self) -> bool:
        """Try to write where that was not possible before; return whether all is well."""
        return self._database.try_again()

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()
