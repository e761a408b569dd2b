"""The daemon's side of the port opener: it asks for a device or a proxy and receives an open descriptor."""

from __future__ import annotations

import os
import socket
from array import array
from contextlib import closing
from dataclasses import dataclass

from lpad.base.errors import CardUnreachable
from lpad.base.untrusted_number import whole_number
from lpad.card.port.port_opener_messages import LONGEST_ANSWER, OPENED, SOCKET, Refusal

_PATIENCE = 15.0
"""Seconds for an answer: systemd may have to start the opener first."""
_LARGEST_ERRNO = 4095
_SEE = "see 'systemctl status lpad-ports.socket lpad-ports.service'"
_REFUSED = {
    Refusal.NOT_ALLOWED.value: "lpad's port opener opens only control ports of modems (cdc-wdm and WWAN)",
    Refusal.UNTRUSTED.value: (
        "the process that listens as this proxy does not belong to root, so it may be a forgery; stop it"
    ),
}


@dataclass(frozen=True, slots=True)
class PortOpenerClient:
    """The daemon's access to a port opener, through the opener's socket."""

    path: str = SOCKET

    def open(self, wanted: str) -> int | None:
        """Ask the opener for a non-blocking descriptor of a device or a proxy.

        Args:
            wanted: the path of a device without symbolic links, or a proxy's name.

        Returns:
            The descriptor; None if there is no opener, or this user may not use it.

        Raises:
            OSError: the opener could not open the device or reach the proxy; the error states the reason.
            CardUnreachable: the opener refuses, or does not answer.
        """
        attempted = f"cannot open {wanted} through the port opener at {self.path}"
        with closing(
            socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
        ) as connection:
            connection.settimeout(_PATIENCE)
            try:
                connection.connect(self.path)
            except (FileNotFoundError, ConnectionRefusedError, PermissionError):
                return None
            except OSError as error:  # BlockingIOError: the opener's queue is full
                raise CardUnreachable(f"{attempted}: {error.strerror}; try again, or {_SEE}") from error
            try:
                connection.sendall(wanted.encode())
                answer, descriptors = _received(connection)
            except OSError as error:
                told = error.strerror or "the opener did not answer in time"
                raise CardUnreachable(f"{attempted}: {told}; try again, or {_SEE}") from error
        if answer == OPENED and descriptors:
            return descriptors[0]
        for each in descriptors:
            os.close(each)
        if answer in _REFUSED:
            raise CardUnreachable(f"cannot open {wanted}: {_REFUSED[answer]}", retryable=False)
        number = whole_number(answer.decode("ascii", errors="replace"), least=1, most=_LARGEST_ERRNO)
        if number is None:
            raise CardUnreachable(f"{attempted}: the opener's answer is unintelligible; try again, or {_SEE}")
        raise OSError(number, os.strerror(number))


def _received(connection: socket.socket) -> tuple[bytes, list[int]]:
    """Return the answer and its descriptors; `socket.recv_fds` would let child processes inherit them."""
    numbers = array("i")
    answer, ancillary, _, _ = connection.recvmsg(
        LONGEST_ANSWER, socket.CMSG_SPACE(numbers.itemsize), socket.MSG_CMSG_CLOEXEC
    )
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            numbers.frombytes(data[: len(data) - len(data) % numbers.itemsize])
    return answer, list(numbers)
