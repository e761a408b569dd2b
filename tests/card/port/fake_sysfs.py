"""A folder like /sys with the ports of modems, as the kernel arranges them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

USB = "devices/pci0000:00/0000:00:14.0/usb1"
PCI = "devices/pci0000:00/0000:00:1c.0"


def usb_device(sysfs: Path, name: str, **ports: str) -> str:
    """Make a USB device; return its folder.

    Args:
        sysfs: the folder that replaces /sys.
        name: the device's name, for example 1-2.
        ports: each port's folder below the device, for example ttyUSB2="1-2:1.2/ttyUSB2".
    """
    _pci(sysfs, "0000:00:14.0", "devices/pci0000:00/0000:00:14.0")
    device = sysfs / USB / name
    for each in (sysfs / USB, device):
        each.mkdir(parents=True, exist_ok=True)
        (each / "idVendor").write_text("2c7c\n")
    for port, place in ports.items():
        kind = "usbmisc" if port.startswith("cdc-wdm") else "tty"
        _enter(sysfs, kind, port, device / place / kind / port, device / place)
    return str(device)


def pci_device(sysfs: Path, name: str, *ports: str) -> str:
    """Make a PCI device with WWAN ports behind a bridge; return its folder."""
    _pci(sysfs, "0000:00:1c.0", PCI)
    device = _pci(sysfs, name, f"{PCI}/{name}")
    for port in ports:
        _enter(sysfs, "wwan", port, device / "wwan" / "wwan0" / port, device / "wwan" / "wwan0")
    return str(device)


def _pci(sysfs: Path, name: str, place: str) -> Path:
    folder = sysfs / place
    folder.mkdir(parents=True, exist_ok=True)
    (sysfs / "bus" / "pci").mkdir(parents=True, exist_ok=True)
    if not (folder / "subsystem").exists():
        (folder / "subsystem").symlink_to(sysfs / "bus" / "pci")
    return folder


def _enter(sysfs: Path, kind: str, port: str, entry: Path, parent: Path) -> None:
    entry.mkdir(parents=True)
    (entry / "device").symlink_to(parent)
    (sysfs / "class" / kind).mkdir(parents=True, exist_ok=True)
    (sysfs / "class" / kind / port).symlink_to(entry)
