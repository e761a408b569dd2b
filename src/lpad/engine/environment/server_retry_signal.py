"""Signs that servers may be reachable again after a failure: the kernel's reports, and other attempts."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class ServerReachability:
    """Reports when another attempt to reach servers makes sense; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._missed = False
        self._on_back: Callable[[], None] = lambda: None

    def watch(self, on_back: Callable[[], None]) -> None:
        """Have `on_back` called, from any thread, when unreachable servers may be reachable again."""
        self._on_back = on_back

    def missed(self) -> None:
        """Record that a server could not be reached."""
        with self._lock:
            self._missed = True

    def reached(self) -> None:
        """Record that a server was reached; then other servers may be reachable, too."""
        with self._lock:
            back, self._missed = self._missed, False
        if back:
            self._on_back()

    def news(self) -> None:
        """Record that the kernel reports a new route or address."""
        self._on_back()
