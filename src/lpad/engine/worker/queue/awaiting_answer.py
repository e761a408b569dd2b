"""The changes of one card that wait for an answer and release the card meanwhile."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lpad.engine.running.run import Run


class AwaitingAnswer:
    """Runs that wait for an answer or the end of their time; callers must hold the worker's lock."""

    def __init__(self) -> None:
        self._runs: dict[int, Run] = {}

    def __len__(self) -> int:
        return len(self._runs)

    def add(self, run: Run) -> None:
        """Add a run that has released the card."""
        self._runs[run.change.id] = run

    @property
    def due_at(self) -> float | None:
        """When the next wait ends, in monotonic time; None: no run has a time limit."""
        return min((run.answer_by for run in self._runs.values() if run.answer_by is not None), default=None)

    def take_due(self) -> list[Run]:
        """Remove and return the runs that were not answered in time."""
        present = time.monotonic()
        due = [run for run in self._runs.values() if run.answer_by is not None and run.answer_by <= present]
        return [run for each in due if (run := self.take(each.change.id)) is not None]

    def take(self, change_id: int) -> Run | None:
        """Remove and return a run; None if it does not wait for an answer."""
        return self._runs.pop(change_id, None)

    def take_all(self) -> list[Run]:
        """Remove and return all runs."""
        runs, self._runs = list(self._runs.values()), {}
        return runs

    def runs(self) -> list[Run]:
        """Return all runs."""
        return list(self._runs.values())
