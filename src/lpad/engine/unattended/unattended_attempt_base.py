"""Attempts that lpad begins without a request: their common parts, and when the next one is due."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.engine.change.change import Change
    from lpad.engine.journal import Journal
    from lpad.engine.running.card.card_with_open_link import Card
    from lpad.engine.running.change_store import ChangeStore
    from lpad.engine.running.operation_context import Timeouts

_TROUBLED = 60.0
"""Seconds until the next attempt if the journal cannot be written."""


class OwnAttempts:
    """The base of the classes that decide on lpad's own attempts for a card; used by the worker's thread."""

    def __init__(
        self,
        card: Card,
        *,
        store: ChangeStore,
        journal: Journal,
        timeouts: Timeouts,
        submit: Callable[[Change], None],
    ) -> None:
        """Create the object; nothing is due yet.

        Args:
            card: the card.
            store: stores the changes that are begun.
            journal: keeps the time of the next attempt.
            timeouts: the time limits, such as that for repeating a download.
            submit: queues a stored change.
        """
        self._card = card
        self._store = store
        self._journal = journal
        self._timeouts = timeouts
        self._submit = submit
        self._due_at: float | None = None

    @property
    def due_at(self) -> float | None:
        """When to begin an attempt, in monotonic time; None: no attempt is planned."""
        return self._due_at

    def _postpone(self) -> None:
        """Plan the attempt for later, because the journal cannot be written."""
        self._due_at = time.monotonic() + _TROUBLED
