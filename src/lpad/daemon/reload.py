"""Reloading the settings: changes that can be made while cards stay open are applied, others are reported.

A file with mistakes changes nothing: the previous settings stay in force, and lpad reports the mistakes until
the file is valid.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from lpad.api.request.settings_file_state import Configuration
from lpad.base.errors import LpadError
from lpad.base.frozen import Frozen
from lpad.daemon import systemd
from lpad.settings import SettingsFile
from lpad.settings.takes_effect import changed, restart_needed

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)


class Prepared(Frozen, kw_only=True):
    """New settings for which each step that can fail has succeeded.

    `apply` is called in the thread that answers requests. `serve` is called next, in another thread, because
    it may wait for the disk.
    """

    file: SettingsFile
    apply: Callable[[], None]
    serve: Callable[[], None]


class Reloading:
    """Reloads the settings file at each SIGHUP; only one reload runs at a time."""

    def __init__(
        self,
        file: SettingsFile,
        *,
        prepare: Callable[[SettingsFile], Prepared],
        tell: Callable[[Configuration], None],
        closing: asyncio.Event,
    ) -> None:
        """Create a reloader of the settings with which the daemon has started.

        Args:
            file: the settings at the daemon's start.
            prepare: called in another thread, does each step that can fail; raises InvalidSettings.
            tell: called with the result, in the thread that answers requests.
            closing: set when the daemon begins to stop; from then on, nothing is applied.
        """
        self._started_with = file.settings
        self._path = file.path
        self._current = file.settings
        self._prepare = prepare
        self._tell = tell
        self._closing = closing
        self._configuration = Configuration()
        self._asked = False
        self._task: asyncio.Task[None] | None = None

    def hangup(self) -> None:
        """Reload the file after SIGHUP; a SIGHUP during a reload leads to another reload."""
        self._asked = True
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._reload())

    async def _reload(self) -> None:
        while self._asked and not self._closing.is_set():
            self._asked = False
            systemd.notify(
                f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}"
            )
            try:
                prepared = await asyncio.to_thread(self._read)
                if self._closing.is_set():
                    return  # lpad is stopping the parts that use the settings
                await self._applied(prepared)
            except LpadError as error:
                self._refused(error)
            except Exception as error:
                log.exception("internal-error")
                self._refused(
                    LpadError(
                        f"cannot apply the settings because of a fault in lpad ({type(error).__name__})"
                    )
                )
            self._tell(self._configuration)
            systemd.notify("READY=1")

    def _read(self) -> Prepared:
        return self._prepare(SettingsFile.read(self._path))

    def _refused(self, error: LpadError) -> None:
        for line in error.sentence.splitlines():
            log.error("%s", line, extra={"kind": error.kind})
        log.error("the previous settings stay in force", extra={"kind": error.kind})
        self._configuration = Configuration(
            read_at=self._configuration.read_at,
            restart_needed=self._configuration.restart_needed,
            error=error.sentence,
        )

    async def _applied(self, prepared: Prepared) -> None:
        news = changed(self._current, prepared.file.settings)
        self._current = prepared.file.settings
        waiting = restart_needed(self._started_with, prepared.file.settings)
        prepared.apply()
        await asyncio.to_thread(prepared.serve)
        self._configuration = Configuration(restart_needed=waiting)
        applied = [key for key in news if key not in waiting]
        log.info(
            "settings reloaded; changed: %s",
            ", ".join(applied) or ("no setting that takes effect immediately"),
        )
        if waiting:
            log.warning("changed, but effective only after a restart: %s", ", ".join(waiting))
