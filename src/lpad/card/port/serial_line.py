"""A serial port for the exclusive exchange of bytes. The only module that imports pyserial."""

from __future__ import annotations

import errno
import math
import os
import select
import termios
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Protocol

import serial

from lpad.base.errors import CardBusy, CardUnreachable
from lpad.card.port.holders import held_elsewhere

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lpad.base.deadline import Deadline

_CHUNK = 4096
_INPUT, _OUTPUT = 4, 5
"""The indexes of the input and the output speed in the result of tcgetattr()."""
_PRIVATE = ("/tmp/", "/var/tmp/")  # noqa: S108 - folders that the service does not share


class Line(Protocol):
    """The methods that the AT modem needs of a port."""

    @property
    def name(self) -> str:
        """The port's name in errors."""
        ...

    @property
    def speed(self) -> int:
        """The speed in bits per second."""
        ...

    @property
    def is_serial(self) -> bool:
        """Whether the speed has an effect (see `is_serial_line`)."""
        ...

    def change_speed(self, speed: int) -> bool:
        """Change the speed immediately, in bits per second; received input is discarded.

        Returns:
            Whether the port has this speed now; otherwise the port keeps the previous speed.

        Raises:
            CardUnreachable: the port is gone.
        """
        ...

    def write(self, data: bytes, *, deadline: Deadline) -> None:
        """Write all of `data`.

        Raises:
            CardUnreachable: the port is gone, or accepts no more data until the deadline.
        """
        ...

    def read(self, *, deadline: Deadline) -> bytes:
        """Return received bytes as soon as there are any; empty only when the deadline has passed.

        Raises:
            CardUnreachable: the port is gone.
        """
        ...

    def fileno(self) -> int:
        """Return the port's descriptor, to wait until there is something to read.

        Raises:
            CardUnreachable: the port is closed.
        """
        ...

    def close(self) -> None:
        """Release the port; never raises, and a second call does nothing."""
        ...


class SerialLine:
    """An open serial port with an exclusive lock.

    A wait is a single poll() until the deadline: nothing wakes up periodically, and bytes that arrive end the
    wait.
    """

    def __init__(self, port: str, *, baud: int = 115200) -> None:
        """Open and lock a port; its buffered input is discarded.

        Args:
            port: device, such as /dev/serial/by-id/usb-Quectel_EG25-G-if02-port0.
            baud: bits per second; USB modems ignore it.

        Raises:
            CardUnreachable: no such port, no permission, or not a serial port.
            CardBusy: another program holds the port.
        """
        self.name = port
        try:
            # With timeouts of zero, pyserial never waits; poll() below does.
            self._port = serial.Serial(port, baud, timeout=0, write_timeout=0, exclusive=True)
        except (OSError, ValueError) as error:  # SerialException is an OSError
            raise _not_opened(port, error) from error

    @property
    def speed(self) -> int:
        """The speed in bits per second (see `Line`)."""
        return self._port.baudrate

    @property
    def is_serial(self) -> bool:
        """Whether the speed has an effect (see `Line`)."""
        from lpad.card.port.uart_detection import is_serial_line  # noqa: PLC0415 - only for a faster line

        return is_serial_line(self.name)

    def change_speed(self, speed: int) -> bool:
        """Change the speed immediately (see `Line`).

        A driver that does not support a speed keeps another one and still reports success, so lpad reads the
        speed back.
        """
        before = self.speed
        with self._ours():
            try:
                self._port.baudrate = speed
                changed = self._has(speed)
            except ValueError:
                changed = False
            if not changed:
                self._port.baudrate = before
            self._port.reset_input_buffer()
        return changed

    def _has(self, speed: int) -> bool:
        """Return whether the kernel has set a speed; true for a speed without a termios constant."""
        name = getattr(termios, f"B{speed}", None)
        return name is None or termios.tcgetattr(self._port.fileno())[_INPUT : _OUTPUT + 1] == [name, name]

    def write(self, data: bytes, *, deadline: Deadline) -> None:
        """Write all of `data` (see `Line`)."""
        with self._ours():
            while data:
                if not self._wait(select.POLLOUT, deadline):
                    raise CardUnreachable(
                        f"cannot write to {self.name}: the modem accepts no characters; check the cable, or"
                        " restart the modem"
                    )
                data = data[self._port.write(data) or 0 :]

    def read(self, *, deadline: Deadline) -> bytes:
        """Return received bytes (see `Line`)."""
        with self._ours():
            if not self._wait(select.POLLIN, deadline):
                return b""
            return self._port.read(min(self._port.in_waiting, _CHUNK) or 1)

    def fileno(self) -> int:
        """Return the port's descriptor (see `Line`)."""
        with self._ours():
            return self._port.fileno()

    def close(self) -> None:
        """Release the port and its lock."""
        with suppress(OSError, termios.error):
            self._port.close()

    def _wait(self, event: int, deadline: Deadline) -> bool:
        """Wait for an event or a hang-up, and return whether one came; the next call reports a hang-up."""
        poll = select.poll()
        poll.register(self._port.fileno(), event)
        return bool(poll.poll(math.ceil(deadline.remaining() * 1000)))

    @contextmanager
    def _ours(self) -> Iterator[None]:
        try:
            yield
        except (OSError, termios.error, TypeError) as error:
            # pyserial 3.5 raises TypeError if another thread closes the port during a call.
            raise CardUnreachable(
                f"the port {self.name} has disappeared: the modem was reset or unplugged; try again once the"
                " modem is back"
            ) from error


def _not_opened(port: str, error: OSError | ValueError) -> CardUnreachable | CardBusy:
    number = getattr(error, "errno", None)
    if number in (errno.EAGAIN, errno.EBUSY):
        return CardBusy(f"cannot open {port}: {held_elsewhere(port)}")
    if number in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
        private = (
            "; lpad.service has its own /tmp (PrivateTmp), so it cannot access this port: use a path in /run"
            if port.startswith(_PRIVATE)
            else ""
        )
        return CardUnreachable(
            f"cannot open {port}: there is no such port{private}; is the modem plugged in and switched on?"
            " /dev/serial/by-id lists the existing ports"
        )
    if number in (errno.EACCES, errno.EPERM):
        return CardUnreachable(
            f"cannot open {port}: permission denied; add lpad's user to the group that owns"
            " the port, usually 'dialout'",
            retryable=False,
        )
    return CardUnreachable(
        f"cannot open {port}: {os.strerror(number) if number else 'it is not a serial port'}"
    )
