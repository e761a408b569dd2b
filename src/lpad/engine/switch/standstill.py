"""Standstills: times in which lpad did not run although its deadlines continued.

A container is frozen, the machine swaps, or a worn SD card takes a minute for a write. The clock of a time
limit continues meanwhile, so the limit passes without any check.
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
"""The delay in seconds that counts as a standstill; on a busy machine the delay is smaller."""


class Standstill:
    """Detects standstills while it is entered, with a temporary thread."""

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
        """The end of the last standstill, in monotonic time; minus infinity if there was none."""
        return self._last

    def restarted(self) -> None:
        """Record that lpad did not run until now."""
        self._last = time.monotonic()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Run a short action, such as a journal entry; a long delay in it also counts as a standstill."""
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
