"""A cancellation, with which one thread ends another thread's wait immediately.

A `Deadline` carries the cancellation to every blocking call. A cancellation ends waits for a server, but not
commands to a card, because an interrupted chain of blocks leaves the card in an unclear state.
"""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from lpad.base.errors import Cancelled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Cancellation:
    """A signal that any thread sets once; from then on, every wait that checks it ends.

    A wait for sockets adds this object to its `select` or `poll`: `fileno` becomes readable at the
    cancellation. A wait for anything else registers a call with `waking`.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sentence: str | None = None
        self._descriptor: int | None = None
        self._wakes: list[Callable[[], None]] = []

    @property
    def cancelled(self) -> bool:
        """Whether waits must end."""
        return self._sentence is not None

    def cancel(self, sentence: str) -> None:
        """End all waits; they raise Cancelled with the sentence of the first call."""
        with self._lock:
            if self._sentence is not None:
                return
            self._sentence = sentence
            if self._descriptor is not None:
                os.eventfd_write(self._descriptor, 1)
            wakes = list(self._wakes)
        for wake in wakes:
            wake()

    def check(self) -> None:
        """Raise an error if a cancellation was requested.

        Raises:
            Cancelled: a cancellation was requested.
        """
        if self._sentence is not None:
            raise Cancelled(self._sentence)

    def fileno(self) -> int:
        """Return a descriptor that is readable from the moment of cancellation; it belongs to this object."""
        with self._lock:
            if self._descriptor is None:
                initial = 0 if self._sentence is None else 1
                self._descriptor = os.eventfd(initial, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
            return self._descriptor

    @contextmanager
    def waking(self, wake: Callable[[], None]) -> Iterator[None]:
        """Have `wake` called, in the cancelling thread, if this object is cancelled inside the block.

        `wake` is called immediately if this object is already cancelled.
        """
        with self._lock:
            self._wakes.append(wake)
            cancelled = self._sentence is not None
        try:
            if cancelled:
                wake()
            yield
        finally:
            with self._lock:
                self._wakes.remove(wake)

    def __del__(self) -> None:
        descriptor = getattr(self, "_descriptor", None)
        if descriptor is not None:
            with suppress(OSError):
                os.close(descriptor)
