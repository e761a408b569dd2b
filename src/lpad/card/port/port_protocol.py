"""The protocol that a modem's port speaks, as the kernel states it.

cdc-wdm ports belong to the driver cdc_mbim or qmi_wwan (/sys/class/usbmisc); WWAN ports have a type
(/sys/class/wwan, Linux 5.14). If sysfs reports no protocol, the port's name decides; if MBIM and QMI ports
share that name, lpad asks the modem (`port_protocol_query.py`).
"""

from __future__ import annotations

import re
from enum import Enum
from pathlib import Path

SYSFS = Path("/sys")


class PortProtocol(Enum):
    """The protocols of a modem's ports."""

    AT = "AT"
    MBIM = "MBIM"
    QMI = "QMI"


_DRIVERS = {"cdc_mbim": PortProtocol.MBIM, "qmi_wwan": PortProtocol.QMI, "option": PortProtocol.AT}
_NAMES = (
    (re.compile(r"wwan[0-9]+mbim[0-9]+"), PortProtocol.MBIM),
    (re.compile(r"wwan[0-9]+qmi[0-9]+"), PortProtocol.QMI),
)
_EITHER = re.compile(r"cdc-wdm[0-9]+")
"""Matches the names that MBIM ports and QMI ports have in common."""


def protocol_of(port: str, *, sysfs: Path = SYSFS) -> PortProtocol | None:
    """Return the protocol of a port, without opening it; None: a control port of an unknown protocol.

    Args:
        port: a device, a link to one, or the path of a Unix socket: a simulated modem's control port.
    """
    path = Path(port)
    if path.is_socket():
        return None
    device = path.resolve().name
    told = _told_type(sysfs / "class" / "wwan" / device / "type") or _driver_of(sysfs, device)
    if told is not None:
        return told
    for name in (device, path.name):
        for pattern, protocol in _NAMES:
            if pattern.fullmatch(name):
                return protocol
    return None if _EITHER.fullmatch(device) or _EITHER.fullmatch(path.name) else PortProtocol.AT


def _told_type(file: Path) -> PortProtocol | None:
    try:
        told = file.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return None
    return PortProtocol.__members__.get(told)


def _driver_of(sysfs: Path, device: str) -> PortProtocol | None:
    driver = sysfs / "class" / "usbmisc" / device / "device" / "driver"
    return _DRIVERS.get(driver.resolve().name) if driver.exists() else None
