"""A serial port that is ModemManager's, borrowed for as long as lpad works with it."""

from __future__ import annotations

import logging
import os
import threading
from typing import TYPE_CHECKING

from lpad.base.errors import CardBusy
from lpad.card.port.modem_manager import Inhibition
from lpad.card.port.serial_line import SerialLine
from lpad.dbus.bus import can_ask

if TYPE_CHECKING:
    from lpad.base.deadline import Deadline
    from lpad.card.port.serial_line import Line

_log = logging.getLogger(__name__)

_LETTING_GO = 3.0
"""Seconds that ModemManager may take to close its ports after it has said that it keeps off."""
_BETWEEN_TRIES = 0.1


class PortLoan:
    """Borrows a port before it is opened; the loan outlasts the line until `give_back`.

    A modem that is reset in the middle of a change takes its port away and back. The loan stays, or
    ModemManager would take the modem first.
    """

    def __init__(self, port: str, *, hold: float) -> None:
        """Prepare; nobody is asked before the port is opened.

        Args:
            port: the modem's AT port.
            hold: seconds for which an idle port is kept.
        """
        self._port = port
        self._hold = hold
        self._lock = threading.RLock()
        self._inhibitions: dict[str, Inhibition] = {}
        self._lines = 0
        self._was_lent = False

    @property
    def hold(self) -> float | None:
        """Seconds for which an idle port is kept; None: for good, since there is nobody to give it to."""
        return self._hold if self._inhibitions else None

    @property
    def was_lent(self) -> bool:
        """Whether ModemManager, when it was last asked, knew the modem and kept off it."""
        return self._was_lent

    def open_line(self, port: str, *, baud: int, deadline: Deadline) -> Line:
        """Borrow the port where there is somebody to borrow it from, and open it.

        Raises:
            CardUnreachable: as `SerialLine` says.
            CardBusy: ModemManager does not let go, or another program holds the port.
        """
        with self._lock:
            self._borrow(port, deadline=deadline)
            line = self._open(port, baud=baud, deadline=deadline)
            self._lines += 1
            return _BorrowedLine(line, self)

    def give_back(self) -> None:
        """End the loan, unless somebody else has the port open: whose turn it then is to give it back."""
        with self._lock:
            if self._lines == 0 and self._inhibitions:
                self._end(*self._inhibitions)
                _log.info("%s: idle; returned to ModemManager", self._port)

    def line_closed(self) -> None:
        """Count a line that is open no more."""
        with self._lock:
            self._lines -= 1

    def _borrow(self, port: str, *, deadline: Deadline) -> None:
        """Borrow the modem that has the port now: it may be another than before, or have another name.

        What was borrowed before stays so: a modem that re-enumerates is the same for ModemManager, which
        does not show it meanwhile, so that it could not be found by its new name.
        """
        device = os.path.realpath(port)
        # Where the bus was restarted nobody knows of the loan any more.
        self._end(*(each for each, inhibition in self._inhibitions.items() if not inhibition.reaches_bus))
        if device in self._inhibitions or not can_ask():
            return
        inhibition = Inhibition(port, deadline=deadline)
        self._was_lent = inhibition.holds
        if not inhibition.reaches_bus:
            inhibition.end()
            return
        # Those that found no modem under an earlier name would not find it under this one.
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
    """A line that says when it is closed."""

    def __init__(self, line: SerialLine, loan: PortLoan) -> None:
        self._line = line
        self._loan: PortLoan | None = loan
        self.name = line.name

    def write(self, data: bytes, *, deadline: Deadline) -> None:
        """Hand over all of `data`, as `Line` says."""
        self._line.write(data, deadline=deadline)

    def read(self, *, deadline: Deadline) -> bytes:
        """Return what has come, as `Line` says."""
        return self._line.read(deadline=deadline)

    def close(self) -> None:
        """Release the port, as `Line` says; the loan goes on."""
        self._line.close()
        loan, self._loan = self._loan, None
        if loan is not None:
            loan.line_closed()
