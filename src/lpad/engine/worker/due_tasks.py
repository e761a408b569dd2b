"""Due tasks: the worker's own tasks, each run when it is due."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class DueTask:
    """A task with a due time that may change.

    `due_at` returns the moment in monotonic time, or None for never; it is called with the worker's lock
    held, so it must only read. `run` is called without the lock, and must make sure that the task is no
    longer due, because an idle daemon must not wake up more than once a minute.
    """

    due_at: Callable[[], float | None]
    run: Callable[[], None]
    idle: bool = False
    """Whether the worker counts as idle meanwhile, so that a borrowed port is returned in time."""


class DueTasks:
    """All tasks of a worker; of two due ones, the first in the list runs first."""

    def __init__(self, *due_tasks: DueTask) -> None:
        self._due_tasks = due_tasks

    def due(self) -> DueTask | None:
        """Return the task to run now."""
        now = time.monotonic()
        return next(
            (each for each in self._due_tasks if (at := each.due_at()) is not None and at <= now), None
        )

    def seconds(self) -> float | None:
        """Return the seconds until the next one is due; None: none is."""
        moments = [at for each in self._due_tasks if (at := each.due_at()) is not None]
        return max(0.0, min(moments) - time.monotonic()) if moments else None
