"""The changes of one card that wait for another attempt and release the card meanwhile."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from lpad.base.untrusted_number import noted_number
from lpad.engine.change import overtaking_by_switch
from lpad.engine.change.change import PauseReason
from lpad.engine.change.steady_clock import LATEST
from lpad.engine.provisioning.platform_waiting import may_be_hastened
from lpad.engine.worker.queue import retry_rules

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.engine.change.change import Pause
    from lpad.engine.running.run import Run

REST = 10.0
"""The minimum number of seconds between two attempts, however often a network, or the journal, returns."""


class AwaitingRetry:
    """Runs and the time at which each continues; callers must hold the worker's lock."""

    def __init__(self) -> None:
        self._runs: dict[int, Run] = {}
        self._due: dict[int, float] = {}
        self._since: dict[int, float] = {}

    def __len__(self) -> int:
        return len(self._runs)

    def add(self, run: Run) -> None:
        """Add a run whose change is paused."""
        pause = run.change.pause
        assert pause is not None, "only a paused change waits here"
        self._runs[run.change.id] = run
        self._since[run.change.id] = time.monotonic()
        if pause.retry_at is not None:
            self._due[run.change.id] = time.monotonic() + _seconds_until(pause, run)

    @property
    def due_at(self) -> float | None:
        """When the next run continues, in monotonic time; None: each run continues only at an event."""
        return min(self._due.values(), default=None)

    def take_due(self) -> list[Run]:
        """Remove and return the runs that continue now, in the order of their requests."""
        present = time.monotonic()
        due = sorted(change_id for change_id, at in self._due.items() if at <= present)
        return [run for change_id in due if (run := self.take(change_id)) is not None]

    def take(self, change_id: int) -> Run | None:
        """Remove and return a run; None if it does not wait for another attempt."""
        self._due.pop(change_id, None)
        self._since.pop(change_id, None)
        return self._runs.pop(change_id, None)

    def take_all(self) -> list[Run]:
        """Remove and return all runs."""
        return [run for change_id in sorted(self._runs) if (run := self.take(change_id)) is not None]

    def runs(self) -> list[Run]:
        """Return all runs."""
        return list(self._runs.values())

    def hasten(self, change_id: int, take: Callable[[float], float | None]) -> tuple[Run, float] | None:
        """Let a waiting change query its platform earlier, because of a hint.

        Args:
            change_id: the change's number.
            take: gets the remaining seconds of the wait, and returns their new number; None: the wait does
                not change.

        Returns:
            The run and its new wait in seconds; None if the wait does not change, or is for something else.
        """
        run, due = self._runs.get(change_id), self._due.get(change_id)
        if run is None or due is None or run.change.pause is None or not may_be_hastened(run.change.pause):
            return None
        present = time.monotonic()
        wait = take(due - present)
        if wait is None:
            return None
        self._due[change_id] = present + wait
        return run, wait

    def put_off(self) -> list[Run]:
        """Restart the wait of the runs that wait for a time without switches; return these runs."""
        waiting = []
        for change_id, run in self._runs.items():
            pause = run.change.pause
            if pause is not None and pause.reason is PauseReason.OVERTAKEN:
                self._due[change_id] = time.monotonic() + overtaking_by_switch.QUIET
                waiting.append(run)
        return waiting

    def release(self, *reasons: PauseReason) -> None:
        """Continue the runs that wait for one of `reasons`; those that were just tried continue soon."""
        present = time.monotonic()
        for change_id, run in self._runs.items():
            pause = run.change.pause
            if pause is not None and pause.reason in reasons:
                rest = REST if pause.reason in (PauseReason.NETWORK, PauseReason.JOURNAL) else 0.0
                soon = max(present, self._since[change_id] + rest)
                self._due[change_id] = min(self._due.get(change_id, soon), soon)


def _seconds_until(pause: Pause, run: Run) -> float:
    """Return the seconds until the next attempt; 0 if an earlier version of lpad did not store the time."""
    due = noted_number(run.notes.due, default=0.0, most=LATEST)
    assert pause.retry_at is not None
    longest = max(retry_rules.LONGEST, (pause.retry_at - pause.since).total_seconds())
    return run.now().until(due, longest=longest)
