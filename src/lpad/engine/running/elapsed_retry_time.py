"""The time for which a change has been tried: the counted time since its first failed attempt.

Only time in which lpad runs counts. The wait for an answer, for the card, and for a network with
`when_online` does not count.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from lpad.base.frozen import Frozen
from lpad.base.untrusted_number import noted_number
from lpad.engine.change.change import PauseReason, State
from lpad.engine.change.notes import DownloadNotes, noting
from lpad.engine.change.steady_clock import LATEST

if TYPE_CHECKING:
    from lpad.engine.change.change import Change
    from lpad.engine.change.notes import Noting
    from lpad.engine.change.steady_clock import SteadyClock


class UncountedTime:
    """Measures, from each record, how long changes wait for reasons that do not count; thread-safe."""

    def __init__(self, clock: SteadyClock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._since: dict[int, float] = {}
        self._total: dict[int, float] = {}

    def observe(self, change: Change) -> None:
        """Process a change's new record."""
        with self._lock:
            if change.state.ended:
                self._since.pop(change.id, None)
                self._total.pop(change.id, None)
            elif change.state is State.QUEUED or change.question is not None or _was_overtaken(change):
                self._since.setdefault(change.id, self._clock.now().ran)
            elif change.state is State.RUNNING:
                self._count(change.id)

    def awaits_turn(self, change: Change) -> None:
        """Record that a change whose pause is over now waits for its card."""
        with self._lock:
            self._since.setdefault(change.id, self._clock.now().ran)

    def take(self, change: Change) -> float:
        """Return the uncounted seconds since the last call."""
        with self._lock:
            self._count(change.id)
            return self._total.pop(change.id, 0.0)

    def _count(self, change_id: int) -> None:
        since = self._since.pop(change_id, None)
        if since is not None:
            passed = max(0.0, self._clock.now().ran - since)
            self._total[change_id] = self._total.get(change_id, 0.0) + passed


def _was_overtaken(change: Change) -> bool:
    return change.pause is not None and change.pause.reason is PauseReason.OVERTAKEN


class TriedTime(Frozen, kw_only=True):
    """The counted seconds up to a failed attempt; `begun` shows whether an earlier attempt had failed."""

    spent: float
    begun: bool

    @classmethod
    def until(cls, ran: float, *, notes: DownloadNotes, uncounted: float) -> TriedTime:
        """Return the seconds for which a download has been tried so far.

        Args:
            ran: the seconds that lpad has run.
            uncounted: seconds since the last failed attempt that do not count.
        """
        before = notes.waited if notes.spent is None else notes.spent
        spent = noted_number(before, default=0.0, most=LATEST)
        since = noted_number(notes.spent_since, default=ran, most=LATEST)
        return cls(spent=spent + max(0.0, ran - since - uncounted), begun=before is not None)

    def noted(self, ran: float, *, counts: bool) -> Noting:
        """Return the notes with which a restarted lpad continues the measurement.

        Args:
            ran: the seconds that lpad has run.
            counts: whether the pause that begins now counts.
        """
        return noting(DownloadNotes, spent=self.spent, spent_since=ran if counts else None)
