"""The open wishes, one for each card, in the journal."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from lpad.engine.wishes.wish_record import WishRecord

if TYPE_CHECKING:
    from lpad.engine.journal.named_values import NamedValues

_PREFIX = "wish:"


class WishStore:
    """Usable from every thread; a returned call is on the disk."""

    def __init__(self, memos: NamedValues) -> None:
        self._memos = memos
        self._lock = threading.Lock()
        self._known: dict[str, WishRecord | None] = {}

    def get(self, eid: str) -> WishRecord | None:
        """Return the open wish of a card; None: there is none."""
        with self._lock:
            if eid not in self._known:
                self._known[eid] = self._memos.get(_PREFIX + eid, WishRecord)
            return self._known[eid]

    def put(self, eid: str, record: WishRecord) -> None:
        """Keep how far a wish has come.

        Raises:
            JournalUnavailable: it can't be written, so nothing may be done that it must hold.
        """
        with self._lock:
            self._memos.put(_PREFIX + eid, record)
            self._known[eid] = record

    def close(self, eid: str) -> None:
        """Forget a wish that is fulfilled, or that a person has given up.

        Raises:
            JournalUnavailable: it can't be written.
        """
        with self._lock:
            self._memos.drop(_PREFIX + eid)
            self._known[eid] = None
