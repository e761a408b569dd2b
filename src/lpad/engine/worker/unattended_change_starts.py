"""The changes that lpad begins without a request for one card: rescue, check for events, first profile."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from lpad.engine.unattended.first_profile import Provisioning
from lpad.engine.unattended.rescue import Rescue
from lpad.engine.unattended.unattended_discovery import DiscoveredEvents
from lpad.engine.worker.due_tasks import DueTask

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.engine.change.change import Change
    from lpad.engine.change.event_subscriptions import Hub
    from lpad.engine.discovery.smds_event_store import EventStore
    from lpad.engine.journal import Journal
    from lpad.engine.running.card.card_with_open_link import Card
    from lpad.engine.running.change_store import ChangeStore
    from lpad.engine.running.operation_context import Timeouts
    from lpad.engine.snapshot.snapshot import Snapshot
    from lpad.engine.worker.work_loop import WorkLoop


class UnattendedChanges:
    """Decides from a card's snapshots which changes the card needs; each is queued like a caller's change."""

    def __init__(
        self,
        card: Card,
        loop: WorkLoop,
        *,
        store: ChangeStore,
        journal: Journal,
        hub: Hub,
        timeouts: Timeouts,
        events: EventStore,
        submit: Callable[[Change], None],
        snapshot: Callable[[], Snapshot],
    ) -> None:
        """Create the rescue, the check for events and the provisioning; nothing is decided before `review`.

        Args:
            card: the worker's card.
            loop: the loop of the worker's thread, which a review wakes.
            store: stores changes.
            journal: records the attempts that were begun.
            hub: publishes the rescue.
            timeouts: the time limits.
            events: the events that SM-DSs have for the card.
            submit: queues a change.
            snapshot: returns the last snapshot of the card.
        """
        self._loop = loop
        self._snapshot = snapshot
        self._review_at: float | None = None
        self.rescue = Rescue(card.port.name, store=store, journal=journal, hub=hub, submit=submit)
        """The rescue after a stuck guarded switch."""
        self._discovered = DiscoveredEvents(
            card, store=store, journal=journal, events=events, timeouts=timeouts, submit=submit
        )
        self.provisioning = Provisioning(
            card,
            store=store,
            journal=journal,
            timeouts=timeouts,
            submit=submit,
            discovering=self._discovered.busy,
        )
        """The requests for a first profile."""
        self.due_tasks = (
            DueTask(lambda: self._review_at, self.review),
            DueTask(lambda: self.rescue.due_at, lambda: self.rescue.begin(snapshot())),
            DueTask(lambda: self.provisioning.due_at, lambda: self.provisioning.begin(snapshot())),
            DueTask(lambda: self._discovered.due_at, lambda: self._discovered.begin(snapshot())),
        )

    def review_soon(self) -> None:
        """Have the worker decide again, when no change runs, which changes the card needs."""
        with self._loop.waking():
            self._review_at = time.monotonic()

    def hurry(self) -> None:
        """If the last attempt to get a first profile found no network, repeat the attempt early."""
        with self._loop.waking():
            self.provisioning.hurry()

    def review(self) -> None:
        """Decide whether the card now needs a rescue, a check for events or a first profile."""
        with self._loop.lock:
            self._review_at = None
        for each in (self.rescue, self._discovered, self.provisioning):
            self._loop.guarded(partial(each.look, self._snapshot()))
