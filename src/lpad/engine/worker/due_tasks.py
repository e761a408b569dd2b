"""Due tasks: the worker's own tasks, each run when it is due."""

from __future__ import annotations

import logging
import math
import time
from functools import partial
from typing import TYPE_CHECKING

from msgspec.structs import replace

from lpad.base.frozen import Frozen

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

REST = 60.0
"""Seconds until a task is due again after an internal error, which may have left its due time unchanged."""


class DueTask(Frozen):
    """A task with a due time that may change.

    `due_at` returns the moment in monotonic time, or None for never; it is called with the worker's lock
    held, so it must only read. `run` is called without the lock, and must make sure that the task is no
    longer due, because an idle daemon must not wake up more than once a minute.
    """

    due_at: Callable[[], float | None]
    run: Callable[[], None]
    idle: bool = False
    """Whether the worker counts as idle during the task, so that a borrowed port is returned in time."""


class DueTasks:
    """All tasks of a worker; of two due tasks, the first in the list runs first.

    An internal error in one task never prevents another task.
    """

    def __init__(self, *due_tasks: DueTask) -> None:
        self._due_tasks = due_tasks
        self._rests_until: dict[DueTask, float] = {}

    def due(self) -> DueTask | None:
        """Return the task to run now; None: no task is due."""
        now = time.monotonic()
        task = next(
            (each for each in self._due_tasks if (at := self._due_at(each)) is not None and at <= now), None
        )
        return None if task is None else replace(task, run=partial(self._run, task))

    def seconds(self) -> float | None:
        """Return the seconds until the next task is due; None if no task has a due time."""
        moments = [at for each in self._due_tasks if (at := self._due_at(each)) is not None]
        return max(0.0, min(moments) - time.monotonic()) if moments else None

    def _run(self, task: DueTask) -> None:
        self._rests_until[task] = time.monotonic() + REST
        task.run()
        del self._rests_until[task]

    def _due_at(self, task: DueTask) -> float | None:
        try:
            at = task.due_at()
        except Exception:
            log.exception("cannot find out when a task is due: internal-error")
            return None
        return None if at is None else max(at, self._rests_until.get(task, -math.inf))
