"""The addresses of a name, under a deadline: the system's resolver takes none."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lpad.base.deadline import Deadline


def look_up(host: str, port: int, *, deadline: Deadline) -> list[Any]:
    """Look a name up in a thread of its own, and return what `socket.getaddrinfo` does.

    Args:
        host: a name, or an address.
        port: of TCP.
        deadline: when to give up; the thread then ends by itself.

    Raises:
        TimeoutError: no answer in time.
        OSError: the system's resolver says why not, or the name can't be one.
    """
    found: list[Any] = []
    failed: list[OSError] = []

    def ask() -> None:
        try:
            found.extend(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            failed.append(error if isinstance(error, OSError) else OSError(0, "impossible name"))

    thread = threading.Thread(target=ask, name=f"resolve {host}", daemon=True)
    thread.start()
    thread.join(deadline.remaining())
    if found:
        return list(found)
    raise failed[0] if failed else TimeoutError
