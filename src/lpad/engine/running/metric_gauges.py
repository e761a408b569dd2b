"""Current numbers of changes, notifications and SM-DS events by card, for monitoring a fleet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.base.errors import JournalUnavailable
from lpad.engine.change.change import PauseReason
from lpad.engine.discovery.smds_event_states import EventState
from lpad.engine.discovery.smds_event_store import EventStore
from lpad.engine.journal.notifications import Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lpad.engine.journal import Journal, StoredNotification
    from lpad.engine.running.change_store import ChangeStore
    from lpad.engine.snapshot.snapshot import Snapshot


class Gauges:
    """Counts, and lists of notifications, read on request."""

    def __init__(
        self, store: ChangeStore, journal: Journal, *, snapshots: Callable[[], Sequence[Snapshot]]
    ) -> None:
        self._store = store
        self._journal = journal
        self._snapshots = snapshots
        self._events = EventStore(journal.memos)

    def unsent(self) -> dict[str, list[StoredNotification]]:
        """Return the unaccepted notifications by card; "" stands for all cards without a snapshot."""
        return self._by_card(lambda stored: stored.unsent)

    def set_aside(self) -> dict[str, list[StoredNotification]]:
        """Return the notifications that were set aside, by card like `unsent`."""
        return self._by_card(lambda stored: stored.stage is Stage.REFUSED)

    def unfinished(self) -> dict[str, int]:
        """Return the number of queued, running or waiting changes of each card."""
        counts = dict.fromkeys((card.name for card in self._snapshots()), 0)
        for change in self._store.unended():
            counts[change.euicc] = counts.get(change.euicc, 0) + 1
        return counts

    def paused(self) -> dict[tuple[str, str], int]:
        """Return the number of changes that wait for another attempt, by card and by reason."""
        counts = {(card.name, reason.value): 0 for card in self._snapshots() for reason in PauseReason}
        for change in self._store.active():
            if change.pause is not None:
                key = (change.euicc, change.pause.reason.value)
                counts[key] = counts.get(key, 0) + 1
        return counts

    def discovered(self) -> dict[tuple[str, str], int]:
        """Return the number of known SM-DS events, by card and by state; empty: the journal is unreadable."""
        counts: dict[tuple[str, str], int] = {}
        for card in self._snapshots():
            counts |= {(card.name, state.value): 0 for state in EventState}
            try:
                known = self._events.known(card.eid) if card.eid is not None else ()
            except JournalUnavailable:
                return {}  # unknown numbers are omitted; another metric shows why
            for each in known:
                counts[card.name, each.state.value] += 1
        return counts

    def _by_card(self, wanted: Callable[[StoredNotification], bool]) -> dict[str, list[StoredNotification]]:
        cards = self._snapshots()
        names = {card.eid: card.name for card in cards}
        found: dict[str, list[StoredNotification]] = {card.name: [] for card in cards}
        try:
            copies = self._journal.notifications.all()
        except JournalUnavailable:
            return {}  # Unreadable numbers are omitted; another metric shows that the journal cannot be read.
        for stored in copies:
            if wanted(stored):
                found.setdefault(names.get(stored.eid, ""), []).append(stored)
        return found
