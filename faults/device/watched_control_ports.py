"""Modems on a control port that report each message, with the methods that `Device` calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.simulator.mbim.control_port import MbimModem
from lpad.simulator.modem.control_port import Fault
from lpad.simulator.qmi.control_port import QmiModem

if TYPE_CHECKING:
    from faults.device.step_counter import StepCounter
    from lpad.codec.mbim.messages import Message as MbimMessage
    from lpad.codec.qmi.framing import Message as QmiMessage
    from lpad.simulator.modem.commands import Card


class WatchedMbimModem(MbimModem):
    """A modem on an MBIM port that reports each message."""

    step_counter: StepCounter

    def _serve(self, message: MbimMessage) -> None:
        self.step_counter.line()
        super()._serve(message)

    def at_next(self, *, vanish: bool = False, executed: bool = True) -> None:
        """Arm a fault for the next message."""
        self.arm(Fault(concerns=lambda _: True, vanish=vanish, executed=executed))

    def swap_card(self, card: Card) -> None:
        """Insert a card in place of the present one."""
        self.do(lambda function: function.swap_card(card))

    def register(self, iccid: str, status: int) -> None:
        """Set the result of a profile's registration."""
        self.do(lambda function: function.modem.registration.outcome(iccid, status))


class WatchedQmiModem(QmiModem):
    """A modem on a QMI port that reports each message."""

    step_counter: StepCounter

    def _serve(self, message: QmiMessage) -> None:
        self.step_counter.line()
        super()._serve(message)

    def at_next(self, *, vanish: bool = False, executed: bool = True) -> None:
        """Arm a fault for the next message."""
        self.arm(Fault(concerns=lambda _: True, vanish=vanish, executed=executed))

    def swap_card(self, card: Card) -> None:
        """Insert a card in place of the present one."""
        self.do(lambda function: function.swap_card(card))

    def register(self, iccid: str, status: int) -> None:
        """Set the result of a profile's registration."""
        self.do(lambda function: function.modem.registration.outcome(iccid, status))
