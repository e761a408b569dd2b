"""Which ports are serial lines, as sysfs states it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from lpad.card.port.uart_detection import is_serial_line

if TYPE_CHECKING:
    from pathlib import Path


def with_driver(sysfs: Path, name: str, driver: str) -> None:
    """Make the entry in sysfs of a tty whose device has the given driver."""
    device = sysfs / "devices" / name
    device.mkdir(parents=True)
    drivers = sysfs / "bus" / driver
    drivers.mkdir(parents=True)
    (device / "driver").symlink_to(drivers)
    entry = sysfs / "class" / "tty" / name
    entry.mkdir(parents=True)
    (entry / "device").symlink_to(device)


@pytest.mark.parametrize("driver", ["ftdi_sio", "cp210x", "ch341-uart", "pl2303"])
def test_a_usb_adapter_is_a_serial_line(tmp_path: Path, driver: str) -> None:
    """The port of a USB adapter is a serial line, because there is a UART behind it."""
    with_driver(tmp_path, "ttyUSB0", driver)
    assert is_serial_line("/dev/ttyUSB0", sysfs=tmp_path)


@pytest.mark.parametrize("driver", ["option1", "qcserial", "sierra", "cdc_acm", "unheard-of"])
def test_a_modems_usb_port_is_none(tmp_path: Path, driver: str) -> None:
    """A modem's USB port is not a serial line, and neither is a port with an unknown driver."""
    with_driver(tmp_path, "ttyUSB0", driver)
    assert not is_serial_line("/dev/ttyUSB0", sysfs=tmp_path)


def test_a_port_of_the_serial_core_is_a_serial_line(tmp_path: Path) -> None:
    """A port with the attribute `uartclk` is a serial line, whatever its driver is called."""
    with_driver(tmp_path, "ttyAMA0", "uart-pl011")
    (tmp_path / "class" / "tty" / "ttyAMA0" / "uartclk").write_text("48000000\n")
    assert is_serial_line("/dev/ttyAMA0", sysfs=tmp_path)


def test_a_pseudo_terminal_is_a_serial_line(tmp_path: Path) -> None:
    """A simulator's pseudo-terminal counts as a serial line, even if a symbolic link leads to it."""
    master, slave = os.openpty()
    try:
        link = tmp_path / "modem"
        link.symlink_to(os.ttyname(slave))
        assert is_serial_line(str(link))
    finally:
        os.close(master)
        os.close(slave)


def test_a_port_that_sysfs_does_not_know_is_none(tmp_path: Path) -> None:
    """A port that sysfs does not list is not a serial line."""
    assert not is_serial_line("/dev/ttyX0", sysfs=tmp_path)
