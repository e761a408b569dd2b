"""The steady clock's marks on disk, from which it continues after a restart.

A mark is written with changes, which need a transaction anyway, and every ten minutes by a thread. A power
cut loses the time since the last mark: ages then appear shorter than they are, but never longer.
"""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol, TypeVar

from lpad.base.errors import JournalUnavailable
from lpad.engine.change.steady_clock import EARLIEST, LATEST, Moment, SteadyClock

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

EVERY = 600.0
"""Seconds between two marks while nothing else is written."""
REST = 15.0
"""Seconds after a mark during which changes are written without another mark."""
MARK = "clock"
"""The name under which the journal keeps the last mark."""

_T = TypeVar("_T")


class NamedValues(Protocol):
    """Stores values under a name; raises JournalUnavailable."""

    def get(self, name: str, type_: type[_T]) -> _T | None:
        """Return the value stored under a name; None if there is none."""

    def put(self, name: str, value: object) -> None:
        """Store a value; the value is on disk when the call returns."""


class SteadyClockMarks:
    """Continues a steady clock across restarts, by marks on disk."""

    def __init__(self, memos: NamedValues, clock: SteadyClock, *, latest: Callable[[], float | None]) -> None:
        """Make the clock continue from the last mark; nothing is written before `start`.

        Args:
            memos: stores the marks.
            latest: returns the latest moment on disk, by the wall clock, for a journal without marks.
        """
        self._memos = memos
        self._latest = latest
        self._clock = clock
        self._marked_at = 0.0
        self._leave = threading.Event()
        self._thread: threading.Thread | None = None
        with suppress(JournalUnavailable):
            self._go_on()

    def start(self) -> None:
        """Write marks from now on."""
        self.write()
        self._thread = threading.Thread(target=self._run, name="time-marks", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread, and write the last mark."""
        self._leave.set()
        if self._thread is not None:
            self._thread.join()
            self.write()

    def write(self) -> None:
        """Write a mark; an unwritable journal keeps the previous one."""
        moment = self._clock.now()
        try:
            self._memos.put(MARK, moment)
        except JournalUnavailable as error:
            log.debug("cannot save a mark of the steady clock: %s", error)
        except Exception:  # no error may end the thread that writes marks, or disturb lpad's end
            log.exception("a mark of the steady clock: internal-error")
        else:
            self._marked_at = moment.steady

    def due(self) -> Moment | None:
        """Return the mark to write together with a change; None if the last mark is recent."""
        moment = self._clock.now()
        if moment.steady - self._marked_at < REST:
            return None
        self._marked_at = moment.steady
        return moment

    def _go_on(self) -> None:
        try:
            self._go_on_from_journal()
        except JournalUnavailable as error:  # without a mark, the clock begins with the wall clock
            log.debug("the steady clock begins with the wall clock: %s", error)

    def _go_on_from_journal(self) -> None:
        last = self._memos.get(MARK, Moment)
        if last is not None and EARLIEST <= last.steady <= LATEST and 0 <= last.ran <= LATEST:
            self._clock.go_on(last)
            return
        latest = self._latest()
        if latest is not None:
            self._clock.begin_after(latest)

    def _run(self) -> None:
        while not self._leave.wait(EVERY):
            self.write()
