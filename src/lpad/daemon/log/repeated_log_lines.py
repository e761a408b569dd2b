"""Repeated log lines: equal lines within a minute are counted, and their count is logged once a minute.

A flapping port or a runaway program would otherwise fill a small disk, and hide important lines.
"""

from __future__ import annotations

import contextvars
import copy
import logging
import threading
import time
from typing import TYPE_CHECKING

from msgspec import Struct

from lpad.base.log.log_fields import fields_of

if TYPE_CHECKING:
    from collections.abc import Callable

MINUTE = 60.0
MOST = 512
"""The maximum number of different lines to remember; a further line replaces the oldest."""


class _Line(Struct):
    """A logged line, and the number of its repetitions since it was last written."""

    record: logging.LogRecord
    context: contextvars.Context
    told_at: float
    count: int = 0


class RepeatedLogLines(logging.Filter):
    """Passes the first of equal lines, and logs their number once a minute; passes all debug lines."""

    def __init__(
        self, emit: Callable[[logging.LogRecord], None], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__()
        self._emit = emit
        self._clock = clock
        self._lock = threading.Lock()
        self._lines: dict[tuple[object, ...], _Line] = {}
        self._timer: threading.Timer | None = None

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether an entry is written now; an entry that is not written is counted."""
        if record.levelno < logging.INFO:
            return True
        try:
            return self._is_new(record)
        except Exception:  # noqa: BLE001 - logging's own rule: the log must not end the caller
            return True  # the handler reports a message that cannot be formatted

    def _is_new(self, record: logging.LogRecord) -> bool:
        key = _key(record)
        with self._lock:
            self._tell_due()
            line = self._lines.get(key)
            if line is not None:
                line.record, line.count = record, line.count + 1
                self._wake_up()
                return False
            if len(self._lines) >= MOST:
                self._tell(self._lines.pop(next(iter(self._lines))))
            self._lines[key] = _Line(record, contextvars.copy_context(), self._clock())
            return True

    def flush(self) -> None:
        """Log all pending counts of repeated lines, before the log ends."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            for line in self._lines.values():
                self._tell(line)
            self._lines.clear()

    def due(self) -> None:
        """Log the counts of repeated lines that are due, and set the timer for the others."""
        with self._lock:
            self._timer = None
            self._tell_due()
            self._wake_up()

    def _tell_due(self) -> None:
        present = self._clock()
        for key, line in list(self._lines.items()):
            if present - line.told_at < MINUTE:
                continue
            del self._lines[key]
            if line.count:
                self._tell(line)
                self._lines[key] = _Line(line.record, line.context, present)

    def _wake_up(self) -> None:
        """Set a timer that logs the counts of repeated lines; without repeated lines there is no timer."""
        waiting = [line.told_at for line in self._lines.values() if line.count]
        if self._timer is None and waiting:
            timer = threading.Timer(max(0.0, min(waiting) + MINUTE - self._clock()), self.due)
            timer.daemon = True
            try:
                timer.start()
            except RuntimeError:  # without a free thread, the next log line triggers the counts
                return
            self._timer = timer

    def _tell(self, line: _Line) -> None:
        if not line.count:
            return
        record = copy.copy(line.record)
        kind = line.context.run(fields_of, record).get("KIND")
        times = "once more" if line.count == 1 else f"{line.count} times more"
        record.msg, record.args = f"{record.getMessage()} ({times} within a minute)", ()
        record.exc_info = record.exc_text = None  # the first line contained the exception
        if kind is not None:
            record.kind = kind
        line.context.run(self._emit, record)


def _key(record: logging.LogRecord) -> tuple[object, ...]:
    raised = record.exc_info[1] if record.exc_info else None
    fields = tuple(sorted(fields_of(record).items()))
    return record.name, record.levelno, record.getMessage(), fields, repr(raised)
