"""A modem's control port (MBIM, QMI), opened directly or through its proxy, for the exchange of bytes.

Two programs that read one control port receive each other's answers, so programs share mbim-proxy or
qmi-proxy. lpad uses a running proxy, as ModemManager does, and otherwise opens the port itself, with a lock.
If lpad does not run as root, the port opener carries out the steps that need root.
"""

from __future__ import annotations

import errno
import fcntl
import math
import os
import select
import socket
import stat
import struct
import termios
import tty
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from lpad.base.errors import CardBusy, CardUnreachable
from lpad.card.port.holders import held_elsewhere
from lpad.card.port.port_opener_client import PortOpenerClient

if TYPE_CHECKING:
    from lpad.base.deadline import Deadline

PROXY = "\0mbim-proxy"
"""The abstract socket of libmbim's proxy."""
QMI_PROXY = "\0qmi-proxy"
"""The abstract socket of libqmi's proxy."""
DEFAULT_TRANSFER = 4096
_LARGEST_COMMAND = 0x800248A0
"""IOCTL_WDM_MAX_COMMAND: the port's largest message, as a number of 2 bytes."""
_CHUNK = 65_536
START_OPENER = "start lpad's port opener ('systemctl enable --now lpad-ports.socket')"
"""The remedy for an action that only root may carry out, if lpad runs as another user."""
_OPENER = PortOpenerClient()
_FLAGS = os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class ControlPort:
    """An open control port or connection to a proxy; messages are written whole."""

    def __init__(self, fd: int, *, name: str, proxy: str | None) -> None:
        """Take over a non-blocking descriptor.

        Args:
            fd: the open descriptor, which is closed with this object.
            name: the port's name in errors.
            proxy: the name of the proxy to which the descriptor leads, and which first needs the name of the
                device; None: the descriptor leads to the modem.
        """
        self._fd = fd
        self.name = name
        self._proxy = proxy
        self.max_transfer = _max_transfer(fd)
        """The maximum number of bytes of a message or fragment."""

    @property
    def through_proxy(self) -> bool:
        """Whether the port is a connection to a proxy."""
        return self._proxy is not None

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._fd < 0

    def write(self, data: bytes, *, deadline: Deadline) -> None:
        """Write one message or fragment.

        Raises:
            CardUnreachable: the port is gone, or accepts no message until the deadline.
        """
        while data:
            if not self._wait(select.POLLOUT, deadline):
                raise CardUnreachable(
                    f"cannot write to {self.name}: the modem accepts no messages; restart the modem"
                )
            try:
                data = data[os.write(self._fd, data) :]
            except BlockingIOError:
                continue
            except OSError as error:
                raise self._gone() from error

    def read(self, *, deadline: Deadline) -> bytes:
        """Return received bytes as soon as there are any; empty only when the deadline has passed.

        Raises:
            CardUnreachable: the port is gone, or the proxy has closed the connection.
        """
        while self._wait(select.POLLIN, deadline):
            try:
                data = os.read(self._fd, _CHUNK)
            except BlockingIOError:
                continue
            except OSError as error:
                raise self._gone() from error
            if data:
                return data
            raise self._gone()
        return b""

    def fileno(self) -> int:
        """Return the descriptor, to wait until there is something to read.

        Raises:
            CardUnreachable: the port is closed.
        """
        if self.closed:
            raise self._gone()
        return self._fd

    def close(self) -> None:
        """Release the port; never raises, and a second call does nothing."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            with suppress(OSError):
                os.close(fd)

    def _wait(self, event: int, deadline: Deadline) -> bool:
        if self.closed:
            raise self._gone()
        poll = select.poll()
        poll.register(self._fd, event)
        return bool(poll.poll(math.ceil(deadline.remaining() * 1000)))

    def _gone(self) -> CardUnreachable:
        if self.through_proxy:
            return CardUnreachable(
                f"{self._proxy} has closed the connection for {self.name}: the modem was reset or unplugged,"
                " or the proxy refuses this user, because it accepts only root; try again, and if it happens"
                f" again, {START_OPENER}, run lpad as root, or stop the program that uses the proxy, such as"
                " ModemManager"
            )
        return CardUnreachable(
            f"the port {self.name} has disappeared: the modem was reset or unplugged; try again once the"
            " modem is back"
        )


def open_control_port(
    port: str,
    *,
    proxy: str | None = PROXY,
    opener: PortOpenerClient = _OPENER,
    privileged: bool | None = None,
) -> ControlPort:
    """Open a modem's control port.

    Args:
        port: device, such as /dev/cdc-wdm0 or /dev/wwan0mbim0; or the path of a Unix socket.
        proxy: the proxy's abstract socket, which is used if it accepts connections; None: lpad uses no proxy.
        opener: opens ports that this process may not open.
        privileged: whether the proxy serves this process; None: only if this process runs as root.

    Raises:
        CardUnreachable: no such port, no permission, or not a port.
        CardBusy: another program has locked the port.
    """
    try:
        mode = Path(port).stat().st_mode
    except OSError as error:
        raise _not_opened(port, error) from error
    if stat.S_ISSOCK(mode):
        return ControlPort(_connected(port, port), name=port, proxy=None)
    if not stat.S_ISCHR(mode):
        raise CardUnreachable(f"cannot open {port}: it is not a device", retryable=False)
    own = os.geteuid() == 0 if privileged is None else privileged
    if proxy is not None:
        shared = _proxy_connection(proxy, opener=None if own else opener)
        if shared is not None:
            return ControlPort(shared, name=port, proxy=proxy.removeprefix("\0"))
    try:
        fd = _opened_device(port, opener)
    except OSError as error:
        raise _not_opened(port, error) from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.isatty(fd):  # the pty of a simulated modem
            tty.setraw(fd)
    except (OSError, termios.error) as error:
        os.close(fd)
        if isinstance(error, BlockingIOError):
            raise CardBusy(f"cannot open {port}: {held_elsewhere(port)}") from error
        raise CardUnreachable(f"cannot open {port}: {error}") from error
    return ControlPort(fd, name=port, proxy=None)


def _opened_device(port: str, opener: PortOpenerClient) -> int:
    try:
        return os.open(port, _FLAGS)
    except PermissionError:
        opened = opener.open(os.path.realpath(port))
        if opened is None:
            raise
        return opened


def _proxy_connection(proxy: str, *, opener: PortOpenerClient | None) -> int | None:
    """Return a connection to the proxy; None if the proxy does not run.

    Args:
        opener: makes the connection in place of this process, which the proxy would refuse. Without an
            opener, this process still tries, because a proxy may be built for a user other than root.
    """
    name = proxy.removeprefix("\0")
    try:
        own = _connected(proxy, name)
    except CardUnreachable:
        return None
    try:
        passed = None if opener is None else opener.open(name)
    except OSError as error:
        os.close(own)
        raise _not_opened(name, error) from error
    except BaseException:
        os.close(own)
        raise
    if passed is None:
        return own
    os.close(own)
    return passed


def _connected(address: str, name: str) -> int:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as connection:
        try:
            connection.connect(address)
        except OSError as error:
            raise _not_opened(name, error) from error
        connection.setblocking(False)
        return connection.detach()


def _max_transfer(fd: int) -> int:
    """Return the size of the port's largest message; sockets, ptys and WWAN ports do not report it."""
    answer = bytearray(2)
    try:
        fcntl.ioctl(fd, _LARGEST_COMMAND, answer)
    except OSError:
        return DEFAULT_TRANSFER
    limit: int = struct.unpack("=H", answer)[0]
    return limit if limit >= 64 else DEFAULT_TRANSFER


def _not_opened(port: str, error: OSError) -> CardUnreachable:
    if error.errno in (errno.ENOENT, errno.ENODEV, errno.ENXIO, errno.ECONNREFUSED):
        return CardUnreachable(
            f"cannot open {port}: there is no such port; is the modem plugged in and switched on?"
            " 'lpad probe' lists the existing ports"
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return CardUnreachable(
            f"cannot open {port}: permission denied; control ports belong to root: {START_OPENER}, run lpad"
            " as root, or give lpad's user access with a udev rule",
            retryable=False,
        )
    return CardUnreachable(f"cannot open {port}: {os.strerror(error.errno or 0)}")
