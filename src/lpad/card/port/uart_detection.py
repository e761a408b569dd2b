"""Whether a port is a serial line (UART), whose speed matters, or a USB port, which ignores the speed."""

from __future__ import annotations

from pathlib import Path

from lpad.card.port.port_protocol import SYSFS

_BRIDGES = frozenset(
    {
        "ark3116",
        "ch341-uart",
        "cp210x",
        "f81232",
        "f81534",
        "ftdi_sio",
        "mct_u232",
        "mos7720",
        "mos7840",
        "moschip7720",
        "oti6858",
        "pl2303",
        "SPCP8x5",
        "ti_usb_3410_5052_1",
        "xr_serial",
    }
)
"""Drivers of USB adapters with a UART behind them (Linux, drivers/usb/serial)."""
_TERMINALS = Path("/dev/pts")


def is_serial_line(port: str, *, sysfs: Path = SYSFS) -> bool:
    """Return whether a port is known to be a serial line; the port is not opened.

    The kernel's serial core gives its ports the attribute `uartclk` (Linux, Documentation/ABI, sysfs-tty).
    USB adapters are recognized by their driver. A pseudo-terminal counts as a serial line: it belongs to a
    simulator, or to a program that passes a line on. Ports of other drivers, such as option, qcserial and
    cdc_acm, do not count: there, AT+IPR would change the speed of another port of the modem.

    Args:
        port: a device or a link to one.
        sysfs: the folder of the kernel's devices.
    """
    device = Path(port).resolve()
    entry = sysfs / "class" / "tty" / device.name
    driver = (entry / "device" / "driver").resolve().name
    return device.parent == _TERMINALS or (entry / "uartclk").exists() or driver in _BRIDGES
