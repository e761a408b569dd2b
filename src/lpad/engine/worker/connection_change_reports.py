"""Reports that the data connection may have changed; while the worker is idle, each leads to one check.

The reports come from a modem's port while lpad holds this port anyway, and from the signals of the applier's
program. lpad queries nothing without a report.
"""

from __future__ import annotations

import contextlib
import logging
import time
from typing import TYPE_CHECKING

from lpad.base.backoff import Backoff
from lpad.base.deadline import Deadline
from lpad.base.errors import CardError
from lpad.card.port.idle_port_alarm import PortAlarm
from lpad.dbus.signal_watch import SignalWatch

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from lpad.card.link.card_change_reports import CardReport
    from lpad.dbus.calls_and_signals import Rule, Signal
    from lpad.engine.running.card.card_with_open_link import Card

log = logging.getLogger(__name__)

SETTLING = 1.0
"""Seconds from a report to the query, because reports come in groups."""
PAUSE = 5.0
"""The minimum number of seconds between two queries, however often a modem or a program reports."""
IN_VAIN = Backoff((1, 5, 30, 60))
"""Seconds for which lpad does not listen after a reading without a report, by the number of consecutive such
readings. A port with constant other output must not keep an idle daemon awake."""
_LIMIT = 1.0
"""Seconds to read the messages from the port."""


class ConnectionReports:
    """The reports for one card. The worker's thread owns this object; `waking` holds the worker's lock."""

    def __init__(
        self,
        card: Card,
        *,
        waking: Callable[[], AbstractContextManager[None]],
        returned: Callable[[], None],
        card_reported: Callable[[CardReport], None],
    ) -> None:
        """Create the object; no report is received before `follow` and `listen`.

        Args:
            card: the worker's card.
            waking: returns a context manager that holds the worker's lock, and wakes the worker at its end.
            returned: called, in the thread of the bus, when the applier's program has started or ended.
            card_reported: receives the modem's reports on its card.
        """
        self._card = card
        self._card_reported = card_reported
        self._waking = waking
        self._returned = returned
        self._alarm = PortAlarm(self._rung)
        self._armed: int | None = None
        self._heard_at: float | None = None
        self._vain = 0
        self._deaf_until = 0.0
        self._look_at: float | None = None
        self._looked_at = 0.0
        self._rules: tuple[Rule, ...] = ()
        self._signals: SignalWatch | None = None

    @property
    def heard_at(self) -> float | None:
        """When to read the port's reports; None: there are none. The caller must hold the lock."""
        return self._heard_at

    @property
    def look_at(self) -> float | None:
        """When to query the connection; None: nothing was reported. The caller must hold the lock."""
        return self._look_at

    @property
    def connects_at(self) -> float | None:
        """When to connect to the bus; None: no connection is planned."""
        return None if self._signals is None else self._signals.due_at

    def follow(self) -> None:
        """Begin to listen to the signals of the present applier's program."""
        rules = self._card.port.network.applier.signals
        if rules == self._rules:
            return
        self._rules = rules
        if self._signals is not None:
            self._signals.close()
        self._signals = SignalWatch(rules, hear=self._signal, lost=self._woken) if rules else None

    def connect(self) -> None:
        """Connect to the bus. lpad missed earlier signals, so a new connection counts as a report."""
        if self._signals is not None and self._signals.open():
            self._returned()
            self._reported()

    def listen(self) -> None:
        """Arm the alarm of the idle port, without reading from it; called with the lock held."""
        port = self._card.idle_port
        if port is None or self._heard_at is not None:
            return
        if self._card.reported or self._card.card_report:
            self._heard_at = max(time.monotonic(), self._deaf_until)
            return
        with contextlib.suppress(OSError):  # without this alarm, lpad reads the report with its next command
            self._alarm.arm(port)
            self._armed = port

    def pause(self) -> None:
        """Stop listening to the port, because the worker uses it; called with the lock held."""
        if self._armed is not None:
            self._alarm.disarm(self._armed)
            self._armed = None

    def hear(self) -> None:
        """Read the unsolicited messages, and record their reports on the connection and the card."""
        with self._waking():
            self._heard_at = None
        try:
            heard = self._card.hear(deadline=Deadline.after(_LIMIT))
        except CardError as error:
            log.debug("%s: %s", self._card.port.name, error)
            return
        report = self._card.take_card_report()
        self._vain = 0 if heard or report else self._vain + 1
        self._deaf_until = time.monotonic() + (IN_VAIN.after(self._vain) if self._vain else SETTLING)
        if report:
            self._card_reported(report)
        if heard:
            self._reported()

    def looked(self) -> None:
        """Record that a query has begun."""
        with self._waking():
            self._look_at = None
            self._looked_at = time.monotonic()

    def close(self) -> None:
        """End the threads that listen to the port and the bus."""
        self._alarm.close()
        if self._signals is not None:
            self._signals.close()
            self._signals = None

    def _reported(self) -> None:
        with self._waking():
            if self._look_at is None:
                self._look_at = max(time.monotonic() + SETTLING, self._looked_at + PAUSE)

    def _rung(self) -> None:
        with self._waking():
            self._heard_at = max(time.monotonic(), self._deaf_until)

    def _signal(self, signal: Signal) -> None:
        if signal.member == "NameOwnerChanged":
            self._returned()
        self._reported()

    def _woken(self) -> None:
        self._reported()
