"""The protocol of a control port if neither sysfs nor the port's name states it: lpad asks the modem.

A proxy may have the port open, and a second program would read the answers for the proxy's users. If lpad
finds a proxy among the programs that hold the port, the proxy's protocol is that of the port. Without root,
lpad cannot find these programs: lpad asks through each running proxy, and opens the port itself only if no
proxy reaches a modem there.
"""

from __future__ import annotations

import os
import socket
from contextlib import closing
from typing import TYPE_CHECKING

from lpad.base.errors import CardUnreachable, MalformedError
from lpad.card.port.control_port import PROXY, QMI_PROXY, open_control_port
from lpad.card.port.holders import names_of_holders
from lpad.card.port.port_protocol import PortProtocol
from lpad.codec.mbim import framing as mbim
from lpad.codec.mbim.information_buffer import encode as encode_information
from lpad.codec.mbim.messages import Action, Command, CommandDone, Message, Open
from lpad.codec.mbim.proxy_control import ProxyConfiguration
from lpad.codec.mbim.reassembly import Receiver as MbimReceiver
from lpad.codec.mbim.services import PROXY_CONTROL, Proxy
from lpad.codec.mbim.statuses import Status
from lpad.codec.qmi import framing as qmi
from lpad.codec.qmi.control import GetVersionInfo, ProxyOpen
from lpad.codec.qmi.message_parameters import encode as encode_parameters
from lpad.codec.qmi.message_parameters import result_of
from lpad.codec.qmi.message_stream_splitting import Receiver as QmiReceiver

if TYPE_CHECKING:
    from lpad.base.deadline import Deadline
    from lpad.card.port.control_port import ControlPort
    from lpad.codec.qmi.message_parameters import Body

_QMI_PATIENCE = 2.0
_MBIM_PATIENCE = 5.0
_PROXY_OPENING = 4
"""Seconds that mbim-proxy may take to open the port; then it releases a port that does not speak MBIM."""
_PROXY_PATIENCE = 15.0
"""Seconds for mbim-proxy's answer: long enough for the proxy to release the port before lpad opens it."""
_PROXIES = {PortProtocol.MBIM: PROXY, PortProtocol.QMI: QMI_PROXY}
"""lpad tries mbim-proxy first, which closes a port without MBIM; qmi-proxy 1.32 keeps any port open."""


def ask_protocol(port: str, *, deadline: Deadline, sees_all: bool | None = None) -> PortProtocol:
    """Return the protocol that the modem at a control port speaks.

    Args:
        sees_all: whether /proc shows all programs that hold the port; None: only root sees them all.

    Raises:
        CardUnreachable: no such port, no permission, or the modem answers in neither protocol.
        CardBusy: another program has locked the port.
    """
    holders = names_of_holders(port)
    for protocol, proxy in _PROXIES.items():
        if proxy.removeprefix("\0") in holders:
            return protocol
    if not (os.geteuid() == 0 if sees_all is None else sees_all):
        for protocol, proxy in _PROXIES.items():
            if _runs(proxy) and _reaches_modem(port, proxy, protocol, deadline=deadline):
                return protocol
    with closing(open_control_port(port, proxy=None)) as opened:
        if _speaks_qmi(opened, deadline):
            return PortProtocol.QMI
        if _speaks_mbim(opened, deadline):
            return PortProtocol.MBIM
    raise CardUnreachable(
        f"cannot use {port}: the modem answers neither in QMI nor in MBIM; stop other programs that use the"
        " port, or reset the modem"
    )


def _runs(proxy: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as connection:
        return connection.connect_ex(proxy) == 0


def _reaches_modem(port: str, proxy: str, protocol: PortProtocol, *, deadline: Deadline) -> bool:
    """Return whether a modem answers through a proxy, in the proxy's protocol."""
    with closing(open_control_port(port, proxy=proxy)) as shared:
        if not shared.through_proxy:
            return False  # the proxy has ended in the meantime
        try:
            if protocol is PortProtocol.QMI:
                return _opened_by_qmi_proxy(shared, deadline) and _speaks_qmi(shared, deadline)
            return _opened_by_mbim_proxy(shared, deadline) and _speaks_mbim(shared, deadline)
        except CardUnreachable:  # the proxy has closed the connection: it does not serve this user
            return False


def _speaks_qmi(port: ControlPort, deadline: Deadline) -> bool:
    """Return whether the port answers a QMI request that needs no client and changes nothing."""
    return bool(_asked_in_qmi(port, GetVersionInfo(), deadline))


def _opened_by_qmi_proxy(port: ControlPort, deadline: Deadline) -> bool:
    return any(_succeeded(each) for each in _asked_in_qmi(port, ProxyOpen(path=port.name), deadline))


def _succeeded(answer: qmi.Message) -> bool:
    try:
        return not result_of(answer.parameters).failed
    except MalformedError:
        return False


def _asked_in_qmi(port: ControlPort, body: Body, deadline: Deadline) -> list[qmi.Message]:
    """Send a request to the QMI control service; return the first messages, empty if none comes in time."""
    request = qmi.Message(
        kind=qmi.Kind.REQUEST,
        service=body.SERVICE,
        client=0,
        transaction=1,
        number=body.MESSAGE,
        parameters=encode_parameters(body),
    )
    port.write(qmi.encode(request), deadline=deadline)
    receiver, until = QmiReceiver(), deadline.within(_QMI_PATIENCE)
    while data := port.read(deadline=until):
        if found := receiver.receive(data):
            return found
    return []


def _speaks_mbim(port: ControlPort, deadline: Deadline) -> bool:
    message = Open(transaction=1, max_transfer=port.max_transfer)
    return bool(_asked_in_mbim(port, message, deadline.within(_MBIM_PATIENCE)))


def _opened_by_mbim_proxy(port: ControlPort, deadline: Deadline) -> bool:
    wish = ProxyConfiguration(path=port.name, timeout=_PROXY_OPENING)
    command = Command(
        transaction=1,
        service=PROXY_CONTROL,
        cid=Proxy.CONFIGURATION,
        action=Action.SET,
        info=encode_information(wish),
    )
    found = _asked_in_mbim(port, command, deadline.within(_PROXY_PATIENCE))
    return any(isinstance(each, CommandDone) and each.status == Status.SUCCESS for each in found)


def _asked_in_mbim(port: ControlPort, message: Message, deadline: Deadline) -> list[Message]:
    """Send an MBIM message; return the first messages that come, empty if none comes in time."""
    for fragment in mbim.encode(message, max_transfer=port.max_transfer):
        port.write(fragment, deadline=deadline)
    receiver = MbimReceiver()
    while data := port.read(deadline=deadline):
        if found := receiver.receive(data):
            return found
    return []
