"""The watchdog: the service manager gets signs of life only while the work makes progress."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from lpad.base.liveness import stuck
from lpad.daemon import systemd

if TYPE_CHECKING:
    from lpad.engine.engine import Engine

log = logging.getLogger(__name__)


class Watchdog:
    """Sends signs of life from the thread that answers requests; if that thread hangs, none are sent."""

    def __init__(self, engine: Engine, *, grace: float) -> None:
        """Create a watchdog of an engine.

        Args:
            engine: the engine, whose workers must be alive.
            grace: seconds that a thread may be beyond its deadline.
        """
        self._engine = engine
        self._grace = grace
        self._starving = False

    def feed(self) -> None:
        """Send the service manager a sign of life; if a thread is stuck or has ended, send nothing."""
        found = stuck(grace=self._grace)
        if not found and self._engine.alive:
            self._starving = False
            systemd.notify("WATCHDOG=1")
        elif not self._starving:
            self._starving = True
            for each in found:
                log.error(
                    "%s is stuck in %s, %.0f s beyond its deadline; the service manager will restart lpad",
                    each.name, each.where, each.seconds,
                )  # fmt: skip
            if not found:
                log.error("a worker has ended unexpectedly; the service manager will restart lpad")
