"""Standstills: moments in which lpad did not run though its time went on.

A container is frozen, the machine swaps, a worn SD card takes a minute for a line. The clock that a limit
is counted on goes on meanwhile, so the limit passes without anybody having looked.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger(__name__)

EVERY = 1.0
"""Seconds between two signs of life."""
LEAST = 3.0
"""Seconds that one is late when lpad stood still; a busy machine is late by less."""


class Standstill:
    """Notices that the process stood still, while it is entered; a thread of that time only."""

    def __init__(self) -> None:
        self._last = -math.inf
        self._leave = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="standstill", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._leave.set()
        self._thread.join()

    @property
    def last(self) -> float:
        """When the last one ended, in monotonic time; minus infinity where there was none."""
        return self._last

    def restarted(self) -> None:
        """Take note that lpad was not there until now."""
        self._last = time.monotonic()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Do something that takes a moment, such as a line for the journal; more is a standstill, too."""
        began = time.monotonic()
        try:
            yield
        finally:
            self._see(time.monotonic() - began)

    def _watch(self) -> None:
        began = time.monotonic()
        while not self._leave.wait(EVERY):
            present = time.monotonic()
            self._see(present - began - EVERY)
            began = present

    def _see(self, late: float) -> None:
        if late > LEAST:
            self._last = time.monotonic()
            log.warning("lpad stood still for %.0f s during a guarded switch", late)
