"""The port opener: a small root process that opens modems' control ports and proxies for the daemon.

Control ports belong to root, and mbim-proxy and qmi-proxy serve only root, while the daemon runs as a user
without any privilege. So this process opens the port or the proxy that the daemon names, and passes the open
descriptor. The opener opens nothing else, and neither reads from a port nor writes to one.
"""

from __future__ import annotations

import errno
import logging
import os
import re
import socket
import stat
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lpad.card.port.port_opener_messages import LONGEST_REQUEST, OPENED, Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

log = logging.getLogger(__name__)

DEVICES = re.compile(r"/dev/(cdc-wdm|wwan[0-9]{1,3}(mbim|qmi))[0-9]{1,3}", re.ASCII)
PROXIES = {"mbim-proxy": "\0mbim-proxy", "qmi-proxy": "\0qmi-proxy"}
"""The abstract sockets of libmbim's and libqmi's proxies, by the names that requests use."""
IDLE = 60.0
"""Seconds without a request after which the process ends; systemd keeps the opener's socket."""
_PATIENCE = 5.0
_FLAGS = os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_CREDENTIALS = struct.Struct("=iII")
"""struct ucred: process, user, group (SO_PEERCRED)."""


class _RefusedError(Exception):
    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.value.decode())
        self.refusal = refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class PortOpener:
    """The ports that may be opened, and the users whose requests are accepted."""

    users: frozenset[int]
    """The IDs of the users who may send requests."""
    devices: re.Pattern[str] = DEVICES
    """Matches the whole path of a device that may be opened, in folders that only root can write."""
    proxies: Mapping[str, str] = field(default_factory=PROXIES.copy)
    """The addresses of the proxies by their names."""

    def serve(self, listening: socket.socket, *, idle: float = IDLE) -> None:
        """Serve one connection after another, until none comes for `idle` seconds.

        Args:
            listening: a listening socket, SOCK_SEQPACKET.
            idle: the seconds to wait for a connection.
        """
        while True:
            listening.settimeout(idle)
            try:
                connection, _ = listening.accept()
            except TimeoutError:
                return
            with connection:
                try:
                    self.serve_one(connection)
                except OSError as error:
                    log.warning("dropping a request: %s", error.strerror or type(error).__name__)

    def serve_one(self, connection: socket.socket) -> None:
        """Receive a request and answer it.

        Raises:
            OSError: the connection ended, or is too slow.
        """
        connection.settimeout(_PATIENCE)
        user = _peer(connection)
        if user not in self.users:
            log.warning("dropping a request of user %d, who may not send requests", user)
            return
        request = connection.recv(LONGEST_REQUEST)
        if not request:
            return
        wanted = request.decode("ascii", errors="replace")
        try:
            opened = self._open(wanted)
        except _RefusedError as refused:
            log.warning("%r was not opened: %s", wanted, refused)
            connection.sendall(refused.refusal.value)
            return
        except OSError as error:
            log.info("%r could not be opened: %s", wanted, error.strerror)
            connection.sendall(b"%d" % (error.errno or errno.EIO))
            return
        try:
            socket.send_fds(connection, [OPENED], [opened])
        finally:
            os.close(opened)

    def _open(self, wanted: str) -> int:
        if wanted in self.proxies:
            return _connected(self.proxies[wanted])
        if self.devices.fullmatch(wanted) is None:
            raise _RefusedError(Refusal.NOT_ALLOWED)
        return _opened_device(wanted)


def _opened_device(path: str) -> int:
    """Open a character device after a check of its type: opening other files can have side effects."""
    place = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if not stat.S_ISCHR(os.fstat(place).st_mode):
            raise _RefusedError(Refusal.NOT_ALLOWED)
        return os.open(f"/proc/self/fd/{place}", _FLAGS)
    finally:
        os.close(place)


def _connected(address: str) -> int:
    """Connect to a proxy that runs as this process's user: anyone can listen on a free abstract address."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as connection:
        connection.setblocking(False)
        connection.connect(address)
        if _peer(connection) != os.geteuid():
            raise _RefusedError(Refusal.UNTRUSTED)
        return connection.detach()


def _peer(connection: socket.socket) -> int:
    """Return the ID of the user of the process at the other end of a connection."""
    told = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    user: int = _CREDENTIALS.unpack(told)[1]
    return user
