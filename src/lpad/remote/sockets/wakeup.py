"""A wake-up signal from another thread that can be awaited together with sockets."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from typing import Self


class Bell:
    """A wake-up signal on an eventfd; `ring` is allowed at any time, even after `close`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._fd: int | None = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)

    def fileno(self) -> int:
        """Return the descriptor, which is readable once the bell has rung; -1 after `close`."""
        return -1 if self._fd is None else self._fd

    def ring(self) -> None:
        """Wake a waiting thread, or the next one that waits."""
        with self._lock:
            if self._fd is not None:
                os.eventfd_write(self._fd, 1)

    def silence(self) -> None:
        """Silence the bell until it is rung again."""
        with self._lock, suppress(BlockingIOError):
            if self._fd is not None:
                os.eventfd_read(self._fd)

    def close(self) -> None:
        """Close the descriptor."""
        with self._lock:
            if self._fd is not None:
                os.close(self._fd)
                self._fd = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
