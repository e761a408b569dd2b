"""The return of a modem's port: its usual speed is restored, then ModemManager gets the port back."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from lpad.base.deadline import Deadline
from lpad.base.errors import CardBusy, CardError
from lpad.protocol.at_dialogue import AtCommand

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lpad.card.modem.at_port import AtPort
    from lpad.card.modem.serial_line_speed import LineSpeed
    from lpad.card.port.modem_manager_loan import PortLoan

_log = logging.getLogger(__name__)

_RESTORING = 5.0
"""Seconds for restoring the speed of one line."""


class PortReturn:
    """Gives the ports of one modem back: restores the speed of each line, and ends the loan."""

    def __init__(
        self,
        loan: PortLoan | None,
        speeds: Mapping[str, LineSpeed],
        open_modem: Callable[[str, LineSpeed, Deadline], AtPort],
    ) -> None:
        """Create the object; no port is opened.

        Args:
            loan: ends when the port is returned; None: lpad does not borrow the port from ModemManager.
            speeds: the usual and the fast speed of each of the modem's ports, by the port's path.
            open_modem: opens the modem on the port with a given path, at a speed of the given `LineSpeed`.
        """
        self._loan = loan
        self._speeds = speeds
        self._open_modem = open_modem

    @property
    def hold(self) -> float | None:
        """Seconds for which an idle port is kept (see `PortLoan`)."""
        return None if self._loan is None else self._loan.hold

    @property
    def was_lent(self) -> bool:
        """Whether ModemManager had the modem (see `PortLoan`)."""
        return self._loan is not None and self._loan.was_lent

    def give_back(self) -> None:
        """Restore the speed of each line that lpad has made faster, and end the loan.

        A line that another user has open is left to that user.
        """
        for port, speed in self._speeds.items():
            if speed.is_raised:
                self._restore(port, speed)
        if self._loan is not None:
            self._loan.give_back()

    def _restore(self, port: str, speed: LineSpeed) -> None:
        deadline = Deadline.after(_RESTORING)
        try:
            modem = self._open_modem(port, speed.ending(), deadline)
        except CardBusy:
            return
        except CardError as error:
            _log.info("%s", error)
            return
        try:
            modem.converse(AtCommand("AT"), patience=_RESTORING, deadline=deadline)
        except CardError as error:
            _log.info("%s", error)
        finally:
            modem.close()
