"""Standstills: times in which lpad did not run although its deadlines continued.

The cause may be a frozen container, a swapping machine, or a worn SD card that takes a minute for a write.
The clock of a time limit continues meanwhile, so the limit passes without any check.
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
"""Seconds between two checks for a standstill."""
LEAST = 3.0
"""The minimum delay in seconds that counts as a standstill; delays on a busy machine are smaller."""


class Standstill:
    """Detects standstills within a `with` block, with a temporary thread."""

    def __init__(self) -> None:
        self._last = -math.inf
        self._sign_of_life = math.inf
        self._leave = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="standstill", daemon=True)

    def __enter__(self) -> Self:
        self._sign_of_life = time.monotonic()
        try:
            self._thread.start()
        except RuntimeError as error:  # `last` detects most standstills without the thread
            log.warning("cannot start the thread that detects standstills: %s", error)
        return self

    def __exit__(self, *_: object) -> None:
        self._leave.set()
        if self._thread.ident is not None:
            self._thread.join()
        self._sign_of_life = math.inf

    @property
    def last(self) -> float:
        """The end of the last standstill, in monotonic time; minus infinity if there was none."""
        self._look()  # after a standstill, the caller may run before this class's own thread
        return self._last

    def restarted(self) -> None:
        """Record that lpad did not run until now."""
        self._last = time.monotonic()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Measure the time of a short action, such as a journal entry; a long delay is a standstill, too."""
        began = time.monotonic()
        try:
            yield
        finally:
            self._see(time.monotonic() - began)

    def _watch(self) -> None:
        while not self._leave.wait(EVERY):
            self._look()

    def _look(self) -> None:
        present = time.monotonic()
        late = present - self._sign_of_life - EVERY
        if late > LEAST or threading.current_thread() is self._thread:
            self._sign_of_life = present
        self._see(late)

    def _see(self, late: float) -> None:
        if late > LEAST:
            self._last = time.monotonic()
            log.warning("lpad was suspended for %.0f s during a guarded switch", late)
