"""The USB or PCI device of a port: the ports of one modem share it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from card.link_contract import soon
from card.port.fake_sysfs import pci_device, usb_device
from lpad.card.available_ports import find_ports
from lpad.card.port.device_of_port import device_of

if TYPE_CHECKING:
    from pathlib import Path


def test_the_ports_of_a_usb_modem_share_its_device(tmp_path: Path) -> None:
    """Ports of one USB modem have the same device, with or without a folder below the interface."""
    places = {"ttyUSB2": "1-2:1.2/ttyUSB2", "ttyACM0": "1-2:1.3", "cdc-wdm0": "1-2:1.4"}
    modem = usb_device(tmp_path, "1-2", **places)
    other = usb_device(tmp_path, "1-3", ttyUSB3="1-3:1.2/ttyUSB3")
    assert {device_of(f"/dev/{name}", sysfs=tmp_path) for name in places} == {modem}
    assert device_of("/dev/ttyUSB3", sysfs=tmp_path) == other


def test_wwan_ports_belong_to_the_pci_device(tmp_path: Path) -> None:
    """The device of a WWAN port is the modem, not the PCI bridge above it."""
    modem = pci_device(tmp_path, "0000:02:00.0", "wwan0at0", "wwan0mbim0")
    assert device_of("/dev/wwan0at0", sysfs=tmp_path) == modem
    assert device_of("/dev/wwan0mbim0", sysfs=tmp_path) == modem


def test_the_device_is_unknown(tmp_path: Path) -> None:
    """A port has no device if sysfs does not list it, or lists it without a USB or PCI device."""
    place = tmp_path / "devices" / "platform" / "serial8250" / "tty" / "ttyS0"
    place.mkdir(parents=True)
    (tmp_path / "class" / "tty").mkdir(parents=True)
    (tmp_path / "class" / "tty" / "ttyS0").symlink_to(place)
    assert device_of("/dev/ttyS0", sysfs=tmp_path) is None
    assert device_of("/dev/ttyUSB9", sysfs=tmp_path) is None
    assert device_of("/", sysfs=tmp_path) is None


def test_ports_are_listed_by_device(tmp_path: Path) -> None:
    """A port's lasting name replaces its device node; a device with only one port is not listed."""
    devices, sysfs = tmp_path / "dev", tmp_path / "sys"
    (devices / "serial" / "by-id").mkdir(parents=True)
    for name in ("ttyUSB2", "ttyUSB3", "cdc-wdm0"):
        (devices / name).touch()
    lasting = devices / "serial" / "by-id" / "usb-Quectel-if02"
    lasting.symlink_to(devices / "ttyUSB2")
    usb_device(sysfs, "1-2", **{"ttyUSB2": "1-2:1.2/ttyUSB2", "cdc-wdm0": "1-2:1.4"})
    usb_device(sysfs, "1-3", ttyUSB3="1-3:1.0/ttyUSB3")
    found = find_ports(deadline=soon(), devices=devices, sysfs=sysfs)
    assert found.devices == ((str(lasting), str(devices / "cdc-wdm0")),)
