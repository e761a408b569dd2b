"""Due tasks: what a worker does without being asked, each when it is due."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class DueTask:
    """Something to do, at a moment that may move.

    `due_at` returns the moment in monotonic time, or None for never; it is asked while the worker's lock is
    held, so it only looks. `run` is called without the lock, and must see to it that the task is not due
    for ever: an idle daemon wakes up no more than once a minute.
    """

    due_at: Callable[[], float | None]
    run: Callable[[], None]


class DueTasks:
    """All that a worker has to think of; of two that are due, the one named first is run first."""

    def __init__(self, *due_tasks: DueTask) -> None:
        self._due_tasks = due_tasks

    def due(self) -> DueTask | None:
        """Return what is to be done now."""
        now = time.monotonic()
        return next(
            (each for each in self._due_tasks if (at := each.due_at()) is not None and at <= now), None
        )

    def seconds(self) -> float | None:
        """Return how long it is until one is due; None: until something else happens."""
        moments = [at for each in self._due_tasks if (at := each.due_at()) is not None]
        return max(0.0, min(moments) - time.monotonic()) if moments else None
