"""For how long a change has been tried: the time since its first failed attempt, without what does not count.

What counts is time in which lpad runs. Not counted is the wait for an answer, for a turn with the card, and
for a network if the change was told to wait for one.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lpad.base.outside_number import noted_number
from lpad.engine.change.change import PauseReason, State
from lpad.engine.change.moment import LATEST

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lpad.engine.change.change import Change, Json
    from lpad.engine.change.moment import SteadyClock

_SPENT = "spent"
_SINCE = "spent_since"
_BEFORE = "waited"
"""The note of an lpad that added up the pauses it had planned."""


class UncountedTime:
    """Takes note, record by record, of how long changes wait for what does not count; from every thread."""

    def __init__(self, clock: SteadyClock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._since: dict[int, float] = {}
        self._total: dict[int, float] = {}

    def observe(self, change: Change) -> None:
        """Learn of a change's new record."""
        with self._lock:
            if change.state.ended:
                self._since.pop(change.id, None)
                self._total.pop(change.id, None)
            elif change.state is State.QUEUED or change.question is not None or _was_overtaken(change):
                self._since.setdefault(change.id, self._clock.now().ran)
            elif change.state is State.RUNNING:
                self._count(change.id)

    def awaits_turn(self, change: Change) -> None:
        """Learn that a change whose pause is over waits for its card from now on."""
        with self._lock:
            self._since.setdefault(change.id, self._clock.now().ran)

    def take(self, change: Change) -> float:
        """Return the seconds that were not counted since this was asked last."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class TriedTime:
    """So many seconds until a failed attempt; `begun` says whether there was one before."""

    spent: float
    begun: bool

    @classmethod
    def until(cls, ran: float, *, notes: Mapping[str, Json], uncounted: float) -> TriedTime:
        """Return for how long a change has been tried by now.

        Args:
            ran: for how long lpad has run, in seconds.
            notes: of the change.
            uncounted: seconds since the last failed attempt that do not count.
        """
        spent = noted_number(notes.get(_SPENT, notes.get(_BEFORE)), default=0.0, most=LATEST)
        since = noted_number(notes.get(_SINCE), default=ran, most=LATEST)
        return cls(spent=spent + max(0.0, ran - since - uncounted), begun=_SPENT in notes or _BEFORE in notes)

    def noted(self, ran: float, *, counts: bool) -> dict[str, Json]:
        """Return the notes from which it goes on.

        Args:
            ran: for how long lpad has run, in seconds.
            counts: whether the pause that begins now counts.
        """
        return {_SPENT: self.spent, _SINCE: ran if counts else None}
