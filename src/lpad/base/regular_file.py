"""Files under names where somebody may have put something else: a FIFO, a device, a socket.

Opening a FIFO waits until somebody opens its other end, which may be never, and reading a device may never
end. So such a name is opened without waiting, and used only where a regular file stands behind it.
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
"""Flags for a file that is written from its beginning, and made where there is none."""
NOT_REGULAR = "it is no regular file"


def open_regular(path: Path, flags: int = os.O_RDONLY, mode: int = 0o600) -> int:
    """Open a regular file and return its descriptor, which is not inherited.

    Args:
        path: the file.
        flags: as for `os.open`.
        mode: of a file that is made.

    Raises:
        OSError: it can't be opened, or is something else than a regular file.
    """
    descriptor = os.open(path, flags | _NEVER_WAIT, mode)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, NOT_REGULAR, str(path))
    return descriptor


def read_regular(path: Path, *, most: int = -1) -> bytes:
    """Return what a regular file holds.

    Args:
        path: the file.
        most: bytes that are read; -1: all.

    Raises:
        OSError: it can't be read, or is something else than a regular file.
    """
    with os.fdopen(open_regular(path), "rb") as file:
        return file.read(most)
