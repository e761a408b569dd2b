"""An alarm that rings when an idle port has something to read; it neither reads the port nor polls."""

from __future__ import annotations

import contextlib
import os
import select
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class PortAlarm:
    """The alarm of one owner; its thread starts with the first port, and sleeps until data arrives."""

    def __init__(self, ring: Callable[[], None]) -> None:
        """Create the alarm; no thread is started.

        Args:
            ring: called once after each `arm`, in the alarm's thread, when there is something to read, or
                the port is gone.
        """
        self._ring = ring
        self._poll: select.epoll | None = None
        self._end = -1
        self._thread: threading.Thread | None = None

    def arm(self, port: int) -> None:
        """Ring once when a port has something to read.

        Args:
            port: the open port's descriptor; closing the descriptor ends its alarm.
        """
        if self._poll is None:
            self._begin()
        assert self._poll is not None
        try:
            self._poll.modify(port, select.EPOLLIN | select.EPOLLONESHOT)
        except FileNotFoundError:
            self._poll.register(port, select.EPOLLIN | select.EPOLLONESHOT)

    def disarm(self, port: int) -> None:
        """Stop the alarm for a port that the owner now reads itself.

        A port that stays registered would ring without end once it is gone, even if no event of it is wanted
        (EPOLLHUP in epoll_ctl(2)).
        """
        if self._poll is not None:
            with contextlib.suppress(OSError):  # the port was closed meanwhile
                self._poll.unregister(port)

    def close(self) -> None:
        """End the thread; a second call does nothing."""
        thread, self._thread = self._thread, None
        if thread is None or self._poll is None:
            return
        os.eventfd_write(self._end, 1)
        thread.join()
        self._poll.close()
        os.close(self._end)
        self._poll = None

    def _begin(self) -> None:
        self._poll = select.epoll()
        self._end = os.eventfd(0)
        self._poll.register(self._end, select.EPOLLIN)
        self._thread = threading.Thread(target=self._wait, args=(self._poll,), name="port-alarm", daemon=True)
        self._thread.start()

    def _wait(self, poll: select.epoll) -> None:
        while True:
            for port, _ in poll.poll():
                if port == self._end:
                    return
                self._ring()
