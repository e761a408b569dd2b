"""Retries for a journal that cannot be written, by a thread that ends once the journal can be written."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

import msgspec

from lpad.base.errors import LpadError
from lpad.engine.change.change import Failure

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.engine.change.event_subscriptions import Hub
    from lpad.engine.journal.file.writability import JournalState
    from lpad.engine.journal.journal import Journal

log = logging.getLogger(__name__)

EVERY = 60.0
"""Seconds between two attempts to write."""


class Recovery:
    """Retries until the journal can be written, and reports each change of its state."""

    def __init__(self, journal: Journal, hub: Hub, *, back: Callable[[], None]) -> None:
        self._journal = journal
        self._hub = hub
        self._back = back
        self._lock = threading.Lock()
        self._told: JournalState | None = None
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        journal.on_trouble(self._begin)

    def stop(self) -> None:
        """End the thread, and wait for a running attempt."""
        self._stopping.set()
        thread = self._thread
        if thread is not None:
            thread.join()

    def _begin(self) -> None:
        with self._lock:
            state = self._journal.health.state
            news, self._told = state is not self._told, state
            if self._thread is None and not self._stopping.is_set():
                thread = threading.Thread(target=self._run, name="journal", daemon=True)
                try:
                    thread.start()
                except RuntimeError as error:  # the next failed write starts the thread
                    log.warning("cannot start the thread that tries to write the journal again: %s", error)
                else:
                    self._thread = thread
        if news:
            self._tell()

    def _run(self) -> None:
        while not self._stopping.wait(EVERY):
            try:
                well = self._journal.try_again()
            except LpadError as error:
                log.debug("the journal: %s", error)
                continue
            except Exception:  # nothing may end the attempts
                log.exception("the journal: internal-error")
                continue
            if well:
                break
        with self._lock:
            self._thread = None
            self._told = None
        if not self._stopping.is_set():
            self._tell()
            self._back()

    def _tell(self) -> None:
        health = self._journal.health
        error = msgspec.to_builtins(Failure.of(health.error)) if health.error is not None else None
        self._hub.publish(
            "journal",
            {
                "state": health.state.value,
                "error": error,
                "set_aside": list(health.set_aside),
                "repairs": msgspec.to_builtins(health.repairs),
            },
        )
