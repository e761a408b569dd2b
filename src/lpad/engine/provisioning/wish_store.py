"""The open wishes, one for each card, in the journal."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from lpad.engine.provisioning.wish_events import happenings
from lpad.engine.provisioning.wish_record import WishRecord

if TYPE_CHECKING:
    from lpad.engine.events.happening import Happening
    from lpad.engine.journal.named_values import NamedValues

log = logging.getLogger(__name__)

_PREFIX = "wish:"


class WishStore:
    """The store of wishes; thread-safe, and data is on the disk when a call returns."""

    def __init__(self, memos: NamedValues) -> None:
        self._memos = memos
        self._lock = threading.Lock()
        self._known: dict[str, WishRecord | None] = {}

    def get(self, eid: str) -> WishRecord | None:
        """Return the open wish of a card; None if the card has no wish."""
        with self._lock:
            if eid not in self._known:
                self._known[eid] = self._memos.get(_PREFIX + eid, WishRecord)
            return self._known[eid]

    def put(self, eid: str, record: WishRecord) -> None:
        """Store the progress of a wish.

        Raises:
            JournalUnavailable: the journal cannot be written, so the next step must not be taken.
        """
        before = self.get(eid)
        with self._lock:
            self._memos.put(_PREFIX + eid, record, happenings=_events(eid, before, record))
            self._known[eid] = record

    def close(self, eid: str) -> None:
        """Delete a wish that is fulfilled, or that a user has abandoned.

        Raises:
            JournalUnavailable: the journal cannot be written.
        """
        before = self.get(eid)
        with self._lock:
            self._memos.drop(_PREFIX + eid, happenings=_events(eid, before, None))
            self._known[eid] = None


def _events(eid: str, before: WishRecord | None, after: WishRecord | None) -> list[Happening]:
    """Return the events of a new record; a failure is only logged, because the record must be stored."""
    try:
        return happenings(eid, before, after)
    except Exception:
        log.exception("cannot publish the events of a wish: internal-error")
        return []
