"""The protocol of a control port that neither sysfs nor its name states: lpad asks the modem."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.base.errors import CardUnreachable
from lpad.card.port.control_port import open_control_port
from lpad.card.port.port_protocol import PortProtocol
from lpad.codec.mbim import framing as mbim
from lpad.codec.mbim.messages import Open
from lpad.codec.mbim.reassembly import Receiver as MbimReceiver
from lpad.codec.qmi import framing as qmi
from lpad.codec.qmi.control import GetVersionInfo
from lpad.codec.qmi.reassembly import Receiver as QmiReceiver

if TYPE_CHECKING:
    from lpad.base.deadline import Deadline
    from lpad.card.port.control_port import ControlPort

_QMI_PATIENCE = 2.0
_MBIM_PATIENCE = 5.0
_QMI_QUESTION = qmi.encode(
    qmi.Message(
        kind=qmi.Kind.REQUEST,
        service=GetVersionInfo.SERVICE,
        client=0,
        transaction=1,
        number=GetVersionInfo.MESSAGE,
    )
)
"""A question that needs no client and changes nothing, so that lpad sends it before MBIM's Open."""


def ask_protocol(port: str, *, deadline: Deadline) -> PortProtocol:
    """Ask the modem at a control port which protocol it speaks.

    Raises:
        CardUnreachable: no such port, no permission, or the modem answers in neither protocol.
        CardBusy: another program has locked the port.
    """
    opened = open_control_port(port, proxy=None)
    try:
        opened.write(_QMI_QUESTION, deadline=deadline)
        if _answers(opened, QmiReceiver(), deadline.within(_QMI_PATIENCE)):
            return PortProtocol.QMI
        for fragment in mbim.encode(Open(transaction=1, max_transfer=opened.max_transfer)):
            opened.write(fragment, deadline=deadline)
        if _answers(opened, MbimReceiver(), deadline.within(_MBIM_PATIENCE)):
            return PortProtocol.MBIM
    finally:
        opened.close()
    raise CardUnreachable(
        f"cannot use {port}: the modem answers neither in QMI nor in MBIM; stop other programs that use the"
        " port, or reset the modem"
    )


def _answers(port: ControlPort, receiver: QmiReceiver | MbimReceiver, deadline: Deadline) -> bool:
    """Return whether a message of the protocol comes in time."""
    while data := port.read(deadline=deadline):
        if receiver.receive(data):
            return True
    return False
