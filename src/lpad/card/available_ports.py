"""The ports and readers that exist now, to choose from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lpad.base.errors import CardError
from lpad.base.frozen import Frozen
from lpad.card.pcsc.call_thread import CallThread, OverdueError
from lpad.card.pcsc.calls import Context
from lpad.card.port.device_of_port import device_of
from lpad.card.port.port_protocol import SYSFS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lpad.base.deadline import Deadline

_STABLE = ("serial/by-id/*",)
_OTHERS = ("ttyUSB*", "ttyACM*", "wwan*at*", "wwan*mbim*", "wwan*qmi*", "cdc-wdm*")


class Ports(Frozen, kw_only=True):
    """The paths of modems' ports, and the names of PC/SC readers."""

    serial: tuple[str, ...]
    """The paths of the ports; a lasting name takes the place of a name that may change."""
    devices: tuple[tuple[str, ...], ...] = ()
    """The ports of each USB or PCI device that has several ports; a modem is one such device."""
    readers: tuple[str, ...]
    no_readers: str | None = None
    """Why no readers are listed, if that is known."""


def find_ports(*, deadline: Deadline, devices: Path = Path("/dev"), sysfs: Path = SYSFS) -> Ports:
    """Return the existing ports and readers; no port is opened."""
    stable = {str(path): str(path.resolve()) for pattern in _STABLE for path in devices.glob(pattern)}
    found = {str(path) for pattern in _OTHERS for path in devices.glob(pattern)}
    ports = [*sorted(stable), *sorted(found - set(stable.values()))]
    try:
        readers, why = _readers(deadline=deadline), None
    except CardError as error:
        readers, why = (), error.sentence
    except OverdueError:
        readers, why = (), "pcscd does not answer; restart it"
    shared = _by_device(ports, sysfs=sysfs)
    return Ports(serial=tuple(ports), devices=shared, readers=readers, no_readers=why)


def _by_device(ports: Sequence[str], *, sysfs: Path) -> tuple[tuple[str, ...], ...]:
    found: dict[str, list[str]] = {}
    for port in ports:
        device = device_of(port, sysfs=sysfs)
        if device is not None:
            found.setdefault(device, []).append(port)
    return tuple(tuple(each) for each in found.values() if len(each) > 1)


def _readers(*, deadline: Deadline) -> tuple[str, ...]:
    thread = CallThread("readers", farewell=lambda: None)

    def ask() -> tuple[str, ...]:
        context = Context()
        try:
            return context.readers()
        finally:
            context.close()

    try:
        return thread.call(ask, deadline=deadline)
    finally:
        thread.end()
