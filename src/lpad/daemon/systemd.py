"""The communication with systemd: readiness, watchdog, inherited sockets (sd_notify(3))."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

from lpad.base.untrusted_number import whole_number

if TYPE_CHECKING:
    from collections.abc import Mapping

FIRST_INHERITED = 3
_MOST_INHERITED = 64
_LONGEST_PATIENCE = 366 * 24 * 3600 * 1_000_000

PATIENCE = 1.0
"""Seconds to wait for a service manager that does not read its messages."""


def notify(message: str, *, environment: Mapping[str, str] = os.environ) -> bool:
    """Send a message such as "READY=1" to the service manager; return whether it was sent.

    An unreachable manager is not a failure, because the daemon works without it.
    """
    address = environment.get("NOTIFY_SOCKET")
    if not address:
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.settimeout(PATIENCE)
            sender.sendto(message.encode(), address)
    except OSError:
        return False
    return True


def watchdog_interval(*, environment: Mapping[str, str] = os.environ) -> float | None:
    """Return the seconds between WATCHDOG=1 messages, half of the manager's limit; None without a limit."""
    microseconds = whole_number(environment.get("WATCHDOG_USEC", ""), least=1, most=_LONGEST_PATIENCE)
    meant_for = environment.get("WATCHDOG_PID", str(os.getpid()))
    if microseconds is None or meant_for != str(os.getpid()):
        return None
    return microseconds / 2_000_000


def inherited_sockets(*, environment: Mapping[str, str] = os.environ) -> list[socket.socket]:
    """Return the listening sockets that the service manager opened for this process (sd_listen_fds(3))."""
    count = whole_number(environment.get("LISTEN_FDS", ""), most=_MOST_INHERITED)
    if count is None or environment.get("LISTEN_PID") != str(os.getpid()):
        return []
    sockets = []
    for number in range(FIRST_INHERITED, FIRST_INHERITED + count):
        os.set_inheritable(number, False)
        sockets.append(socket.socket(fileno=number))
    return sockets
