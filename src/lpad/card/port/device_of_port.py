"""The USB or PCI device that a port belongs to, from sysfs: the ports of one modem share a device."""

from __future__ import annotations

from pathlib import Path

from lpad.card.port.port_protocol import SYSFS

_CLASSES = ("tty", "usbmisc", "wwan")


def device_of(port: str, *, sysfs: Path = SYSFS) -> str | None:
    """Return the device's folder in sysfs; None: unknown, or not a port of such a device.

    The USB device is the folder above its interfaces, with the file `idVendor` (Linux,
    Documentation/ABI/stable/sysfs-bus-usb). A serial adapter with several sockets is one device, too,
    although each socket may lead to a different modem.

    Args:
        port: a device or a link to one; it is not opened.
        sysfs: the folder of the kernel's devices.
    """
    path = Path(port)
    for name in dict.fromkeys((path.resolve().name, path.name)):
        for kind in _CLASSES:
            entry = sysfs / "class" / kind / name
            for folder in (entry / "device", entry):
                if name and folder.exists():
                    return _device_above(folder.resolve(), sysfs.resolve())
    return None


def _device_above(folder: Path, sysfs: Path) -> str | None:
    for each in (folder, *folder.parents):
        if each == sysfs:
            break
        if (each / "idVendor").exists() or (each / "subsystem").resolve().name == "pci":
            return str(each)
    return None
