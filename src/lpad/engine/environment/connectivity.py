"""Whether servers can be reached: what the kernel tells of the network, and what attempts have shown."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Connectivity:
    """Tells when it is worth trying again; from every thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._missed = False
        self._on_back: Callable[[], None] = lambda: None

    def watch(self, on_back: Callable[[], None]) -> None:
        """Have `on_back` called, from any thread, when what could not be reached may be within reach."""
        self._on_back = on_back

    def missed(self) -> None:
        """Take note that a server could not be reached."""
        with self._lock:
            self._missed = True

    def reached(self) -> None:
        """Take note that one was reached: others may be, too."""
        with self._lock:
            back, self._missed = self._missed, False
        if back:
            self._on_back()

    def news(self) -> None:
        """Take note that the kernel tells of a new way out."""
        self._on_back()
