"""A lasting watch for signals, which reconnects after the connection to the bus was lost."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from lpad.base.backoff import Backoff
from lpad.base.deadline import Deadline
from lpad.dbus.bus import Bus
from lpad.dbus.call_failures import BusError

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.dbus.calls_and_signals import Rule, Signal

_log = logging.getLogger(__name__)

_CONNECT = 5.0
"""Seconds to connect and to subscribe."""
_PAUSES = Backoff((5, 60, 600, 3600))
"""Seconds until the next attempt to connect, by the number of failures."""


class SignalWatch:
    """One connection that only listens; its owner's thread calls `open` at the time `due_at`."""

    def __init__(
        self, rules: tuple[Rule, ...], *, hear: Callable[[Signal], None], lost: Callable[[], None]
    ) -> None:
        """Create a watch that is not connected yet.

        Args:
            rules: the signals to listen to.
            hear: gets each signal, in the connection's thread.
            lost: called in the connection's thread when the bus is lost, after `due_at` has changed.
        """
        self._rules = rules
        self._hear = hear
        self._lost = lost
        self._lock = threading.Lock()
        self._bus: Bus | None = None
        self._failures = 0
        self._due_at: float | None = time.monotonic()

    @property
    def due_at(self) -> float | None:
        """When to call `open`, in monotonic time; None: the watch is connected or closed."""
        return self._due_at

    def open(self) -> bool:
        """Connect and subscribe; return whether this succeeded. After a failure, `due_at` is set."""
        self.close()
        deadline = Deadline.after(_CONNECT)
        bus = None
        try:
            bus = Bus(deadline=deadline, lost=self._bus_lost)
            for rule in self._rules:
                bus.listen(rule, self._hear, deadline=deadline)
        except BusError as error:
            if bus is not None:
                bus.close()
            _log.debug("cannot listen to signals: %s", error)
            self._again()
            return False
        self._bus = bus
        self._failures = 0
        return True

    def close(self) -> None:
        """End the connection; a second call does nothing."""
        with self._lock:
            bus, self._bus, self._due_at = self._bus, None, None
        if bus is not None:
            bus.close()

    def _bus_lost(self) -> None:
        self._again()
        self._lost()

    def _again(self) -> None:
        with self._lock:
            self._failures += 1
            self._due_at = time.monotonic() + _PAUSES.after(self._failures)
