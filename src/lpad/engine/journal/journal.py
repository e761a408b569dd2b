"""The journal: every step is on disk before lpad takes it, so that the power may fail at any moment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.engine.change.steady_clock import SteadyClock
from lpad.engine.change.steady_clock_marks import SteadyClockMarks
from lpad.engine.journal.changes import Changes, Retention, check_change
from lpad.engine.journal.events.event_log import EventLog, check_event
from lpad.engine.journal.file.database import Database
from lpad.engine.journal.idempotency_keys import KeyedRequests
from lpad.engine.journal.named_values import NamedValues, check_memo
from lpad.engine.journal.notifications import Notifications, check_notification

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lpad.engine.journal.file.writability import JournalHealth


CHECKS = {
    "changes": check_change,
    "events": check_event,
    "memos": check_memo,
    "notifications": check_notification,
}
"""The functions that check the content of a row, by table."""


_LATEST = (
    "SELECT max(latest) FROM (SELECT max(ended_at) AS latest FROM sound_changes"
    " UNION SELECT max(stored_at) FROM sound_notifications)"
)


class Journal:
    """The daemon's journal, table by table; usable from every thread."""

    def __init__(
        self, path: Path, *, retention: Retention | None = None, clock: SteadyClock | None = None
    ) -> None:
        """Open the file, or create it (readable only by its owner); `health` reports the result.

        If the file cannot be written, its readable part is used, and writing raises JournalUnavailable. Each
        trustworthy row of a damaged file goes into a new one, and the damaged file is kept.
        """
        self._database = Database(path, CHECKS)
        self.clock = clock or SteadyClock()
        """The clock for all entries."""
        self.requests = KeyedRequests(self._database)
        self.events = EventLog(self._database)
        self.notifications = Notifications(self._database, self.events)
        self.memos = NamedValues(self._database, self.events)
        self._marks = SteadyClockMarks(self.memos, self.clock, latest=self._latest)
        self.changes = Changes(self._database, retention or Retention(), self.clock, self._marks, self.events)

    def _latest(self) -> float | None:
        """Return the latest moment at which a change ended or a notification was copied; None if never."""
        (found,) = self._database.row(_LATEST) or (None,)
        return found if isinstance(found, float) else None

    @property
    def health(self) -> JournalHealth:
        """The journal's state, as shown by the last attempt to write, or by a later failed reading."""
        return self._database.health

    def on_trouble(self, tell: Callable[[], None]) -> None:
        """Call `tell`, from any thread, when the journal cannot be written or was repaired."""
        self._database.on_trouble = tell
        if not self.health.ok:
            tell()

    def start(self) -> None:
        """Begin to write marks of the steady clock."""
        self._marks.start()

    def try_again(self) -> bool:
        """Try to write after a failure; return whether the journal can be written."""
        return self._database.try_again()

    def close(self) -> None:
        """Close the file."""
        self._marks.stop()
        self._database.close()
