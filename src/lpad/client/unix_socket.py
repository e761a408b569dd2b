"""A Unix socket for httpcore, whose own backend leaves a socket open after a failed connection.

httpcore is httpx's core without its client, which would load rich, pygments and click for each command.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import httpcore

if TYPE_CHECKING:
    from collections.abc import Iterable


class UnixBackend(httpcore.NetworkBackend):
    """Connects to Unix sockets."""

    def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002 - none is ever given
    ) -> httpcore.NetworkStream:
        """Connect, or leave nothing behind."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            connection.settimeout(timeout)
            connection.connect(path)
        except OSError as error:
            connection.close()
            raise httpcore.ConnectError(error.strerror or str(error)) from error
        return _UnixStream(connection)


class _UnixStream(httpcore.NetworkStream):
    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        self._connection.settimeout(timeout)
        try:
            return self._connection.recv(max_bytes)
        except TimeoutError as error:
            raise httpcore.ReadTimeout("no answer in time") from error
        except OSError as error:
            raise httpcore.ReadError(error.strerror or str(error)) from error

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._connection.settimeout(timeout)
        try:
            self._connection.sendall(buffer)
        except TimeoutError as error:
            raise httpcore.WriteTimeout("lpad did not accept the request in time") from error
        except OSError as error:
            raise httpcore.WriteError(error.strerror or str(error)) from error

    def close(self) -> None:
        self._connection.close()

    def get_extra_info(self, info: str) -> Any:
        # If an idle connection is readable, the daemon has closed it.
        if info == "is_readable":
            return _readable(self._connection)
        return None


def _readable(connection: socket.socket) -> bool:
    try:
        connection.setblocking(False)
        connection.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
