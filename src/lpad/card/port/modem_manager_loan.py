"""A serial port that lpad borrows from ModemManager while it uses the port."""

from __future__ import annotations

import logging
import os
import threading
from typing import TYPE_CHECKING

from lpad.base.errors import CardBusy
from lpad.card.port.serial_line import SerialLine
from lpad.dbus.bus import can_ask

if TYPE_CHECKING:
    from lpad.base.deadline import Deadline
    from lpad.card.port.modem_manager_inhibition import Inhibition
    from lpad.card.port.serial_line import Line

_log = logging.getLogger(__name__)

_LETTING_GO = 3.0
"""Seconds that ModemManager may take to close its ports after it has agreed."""
_BETWEEN_TRIES = 0.1


class PortLoan:
    """Borrows a port before it is opened; the loan lasts until `give_back`, even without an open line.

    If a modem is reset during a change, its port disappears and returns. The loan continues
    meanwhile; otherwise ModemManager would claim the modem first.
    """

    def __init__(self, port: str, *, hold: float) -> None:
        """Create the loan; ModemManager is asked only when the port is opened.

        Args:
            hold: seconds for which lpad keeps an idle port.
        """
        self._port = port
        self._hold = hold
        self._lock = threading.RLock()
        self._inhibitions: dict[str, Inhibition] = {}
        self._lines = 0
        self._was_lent = False

    @property
    def hold(self) -> float | None:
        """Seconds for which lpad keeps an idle port.

        None: without limit, because lpad has not borrowed the port from ModemManager.
        """
        return self._hold if self._inhibitions else None

    @property
    def was_lent(self) -> bool:
        """Whether ModemManager had the modem, and released it at lpad's last request."""
        # ModemManager does not show a lent modem whose name has changed; the modem is still lent.
        inhibitions = tuple(self._inhibitions.values())
        return any(each.holds for each in inhibitions) if inhibitions else self._was_lent

    def open_line(self, port: str, *, baud: int, deadline: Deadline) -> Line:
        """Borrow the port if ModemManager has it, and return the open line.

        Raises:
            CardUnreachable: see `SerialLine`.
            CardBusy: ModemManager does not release the port, or another program holds the port.
        """
        with self._lock:
            self._borrow(port, deadline=deadline)
            line = self._open(port, baud=baud, deadline=deadline)
            self._lines += 1
            return _BorrowedLine(line, self)

    def give_back(self) -> None:
        """End the loan, unless another user of the port has a line open; that user must then end the loan."""
        with self._lock:
            if self._lines == 0 and self._inhibitions:
                self._was_lent = self.was_lent
                self._end(*self._inhibitions)
                _log.info("%s: idle; returned to ModemManager", self._port)

    def line_closed(self) -> None:
        """Record that a line of the borrowed port was closed."""
        with self._lock:
            self._lines -= 1

    def _borrow(self, port: str, *, deadline: Deadline) -> None:
        """Borrow the modem that has the port now: perhaps a different modem, or one with a new name.

        Earlier loans continue. ModemManager treats a re-enumerating modem as the same modem, and does not
        show it in the meantime, so lpad could not find the modem by its new name.
        """
        device = os.path.realpath(port)
        # If the bus has restarted, the loan no longer exists.
        self._end(*(each for each, inhibition in self._inhibitions.items() if not inhibition.reaches_bus))
        if device in self._inhibitions or not can_ask():
            return
        from lpad.card.port.modem_manager_inhibition import Inhibition  # noqa: PLC0415 - only with a system bus

        inhibition = Inhibition(port, deadline=deadline)
        if not inhibition.reaches_bus:
            inhibition.end()
            self._was_lent = False
            return
        # An inhibition that found no modem under an earlier name will not find the modem under the new name.
        self._end(*(each for each, earlier in self._inhibitions.items() if not earlier.holds))
        self._inhibitions[device] = inhibition

    def _end(self, *devices: str) -> None:
        for device in devices:
            self._inhibitions.pop(device).end()

    def _open(self, port: str, *, baud: int, deadline: Deadline) -> SerialLine:
        until = deadline.within(_LETTING_GO)
        while True:
            try:
                return SerialLine(port, baud=baud)
            except CardBusy:
                borrowed = any(inhibition.holds for inhibition in self._inhibitions.values())
                if not borrowed or until.remaining() <= _BETWEEN_TRIES:
                    raise
            threading.Event().wait(_BETWEEN_TRIES)


class _BorrowedLine:
    """The serial line of a borrowed port; the loan continues after the line is closed."""

    def __init__(self, line: SerialLine, loan: PortLoan) -> None:
        self._line = line
        self._loan: PortLoan | None = loan
        self.name = line.name

    @property
    def speed(self) -> int:
        """The speed in bits per second (see `Line`)."""
        return self._line.speed

    @property
    def is_serial(self) -> bool:
        """Whether the speed has an effect (see `Line`)."""
        return self._line.is_serial

    def change_speed(self, speed: int) -> bool:
        """Change the speed immediately (see `Line`)."""
        return self._line.change_speed(speed)

    def write(self, data: bytes, *, deadline: Deadline) -> None:
        """Write all of `data` (see `Line`)."""
        self._line.write(data, deadline=deadline)

    def read(self, *, deadline: Deadline) -> bytes:
        """Return the received bytes (see `Line`)."""
        return self._line.read(deadline=deadline)

    def fileno(self) -> int:
        """Return the port's descriptor (see `Line`)."""
        return self._line.fileno()

    def close(self) -> None:
        """Release the port (see `Line`); the loan continues."""
        self._line.close()
        loan, self._loan = self._loan, None
        if loan is not None:
            loan.line_closed()
