"""A wake-up by signals: a wait for another program's state ends as soon as something has changed."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lpad.base.deadline import Deadline

_LONGEST = 2.0
"""Seconds until the state is read again without a signal, because a signal may have been lost in a
restart."""


class Bell:
    """Ends a wait at a signal. The end does not show what has changed, so callers read the state again."""

    def __init__(self) -> None:
        self._rung = threading.Event()

    def ring(self, *_: object) -> None:
        """End the present wait, or the next one.

        Accepts a signal as argument, so that this method can be a listener.
        """
        self._rung.set()

    def wait(self, *, deadline: Deadline) -> bool:
        """Wait until something may have changed, two seconds at most.

        Returns:
            Whether there is time left for another check.

        Raises:
            Cancelled: see `Deadline`.
        """
        with ExitStack() as stack:
            if deadline.cancellation is not None:
                stack.enter_context(deadline.cancellation.waking(self._rung.set))
            self._rung.wait(min(_LONGEST, deadline.remaining()))
            self._rung.clear()
        deadline.check()
        return not deadline.passed
