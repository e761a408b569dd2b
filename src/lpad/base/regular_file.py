"""Opening of files whose path may lead to something else: a FIFO, a device, a socket.

Opening a FIFO waits until its other end is opened, which may never happen, and reading a device may never
end. So every path is opened without waiting, and used only if it leads to a regular file.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_NEVER_WAIT = os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
REWRITE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
"""Flags to replace a file's content, and to create the file if it does not exist."""
NOT_REGULAR = "it is not a regular file"


def open_regular(path: Path, flags: int = os.O_RDONLY, mode: int = 0o600) -> int:
    """Open a regular file and return its descriptor, which child processes do not inherit.

    Raises:
        OSError: the file cannot be opened, or is not a regular file.
    """
    descriptor = os.open(path, flags | _NEVER_WAIT, mode)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, NOT_REGULAR, str(path))
    return descriptor


def read_regular(path: Path, *, most: int = -1) -> bytes:
    """Return the content of a regular file.

    Args:
        most: the maximum number of bytes to read; -1: all.

    Raises:
        OSError: the file cannot be read, or is not a regular file.
    """
    with os.fdopen(open_regular(path), "rb") as file:
        return file.read(most)
