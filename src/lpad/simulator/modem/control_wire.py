"""The wire of a simulated modem's control port: a pty, or a Unix socket with one host at a time."""

from __future__ import annotations

import socket
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from lpad.base.errors import InvalidValue
from lpad.simulator.modem.serial_port import PtyPort

SOCKET = "unix:"
"""The prefix of a path that stands for a Unix socket in place of a pty."""
_CHUNK = 65_536


class Wire(Protocol):
    """The carrier of bytes between a host and the modem."""

    @property
    def path(self) -> str:
        """The path at which a host opens the port."""

    def descriptors(self) -> list[int]:
        """Return the descriptors to watch for bytes or hosts."""

    def read(self) -> bytes:
        """Return the bytes that have arrived; empty if nothing has arrived."""

    def send(self, data: bytes) -> None:
        """Send bytes to the host, if a host is connected."""

    def vanish(self) -> None:
        """Make the port disappear, like an unplugged device."""

    def come_back(self) -> None:
        """Make the port appear again at its path."""


class PtyWire:
    """A pty, which keeps its path while no host is connected, like a device."""

    def __init__(self, path: str | None) -> None:
        """Create the pty.

        Args:
            path: the place of a symbolic link to the pty; None: the pty's own name.

        Raises:
            InvalidValue: something else is at `path`.
        """
        self._port = PtyPort(path=path, baud=None, wait=lambda _: None)

    @property
    def path(self) -> str:
        """The path at which a host opens the port."""
        return self._port.path

    def descriptors(self) -> list[int]:
        """Return the pty's descriptor (see `Wire`)."""
        return [] if self._port.fd is None else [self._port.fd]

    def read(self) -> bytes:
        """Return the bytes that have arrived (see `Wire`)."""
        return self._port.read()

    def send(self, data: bytes) -> None:
        """Send bytes (see `Wire`)."""
        self._port.send(data)

    def vanish(self) -> None:
        """Close the pty (see `Wire`)."""
        self._port.vanish()

    def come_back(self) -> None:
        """Create a new pty (see `Wire`)."""
        self._port.come_back()


class SocketWire:
    """A Unix socket with one host at a time; a new host replaces the connected one."""

    def __init__(self, path: str) -> None:
        """Listen at `path`.

        Raises:
            InvalidValue: something else is at `path`.
        """
        self._path = path
        self._listener: socket.socket | None = None
        self._host: socket.socket | None = None
        self.come_back()

    @property
    def path(self) -> str:
        """The path at which a host opens the port."""
        return self._path

    def descriptors(self) -> list[int]:
        """Return the descriptors of the listener and the host (see `Wire`)."""
        return [each.fileno() for each in (self._listener, self._host) if each is not None]

    def read(self) -> bytes:
        """Accept a waiting host, and return the bytes that have arrived (see `Wire`)."""
        if self._listener is not None:
            with suppress(BlockingIOError):
                arrived = self._listener.accept()[0]
                arrived.setblocking(False)
                if self._host is not None:
                    self._host.close()
                self._host = arrived
        if self._host is None:
            return b""
        try:
            data = self._host.recv(_CHUNK)
        except BlockingIOError:
            return b""
        except OSError:
            data = b""
        if not data:
            self._host.close()
            self._host = None
        return data

    def send(self, data: bytes) -> None:
        """Send bytes to the host (see `Wire`)."""
        if self._host is not None:
            with suppress(OSError):
                self._host.settimeout(1.0)
                self._host.sendall(data)
                self._host.setblocking(False)

    def vanish(self) -> None:
        """Close both sockets (see `Wire`)."""
        for each in (self._host, self._listener):
            if each is not None:
                each.close()
        if self._listener is not None:
            Path(self.path).unlink(missing_ok=True)
        self._host = self._listener = None

    def come_back(self) -> None:
        """Listen again (see `Wire`).

        Raises:
            InvalidValue: something else is at the path.
        """
        if self._listener is not None:
            return
        place = Path(self.path)
        if place.exists() and not place.is_socket():
            raise InvalidValue(
                f"cannot put the modem's port at {place}: something else is there; name another path"
            )
        place.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.setblocking(False)
        self._listener.bind(self.path)
        self._listener.listen()


def make_wire(path: str | None) -> Wire:
    """Return a wire: a socket for a path that begins with `unix:`, and otherwise a pty.

    Raises:
        InvalidValue: something else is at `path`.
    """
    if path is not None and path.startswith(SOCKET):
        return SocketWire(path.removeprefix(SOCKET))
    return PtyWire(path)
