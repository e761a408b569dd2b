"""The daemon's disk: a memory that harness and daemon share tells each write and orders the cut.

The daemon's side runs in the daemon's process (`watched_daemon.py`), the harness's in the harness.
"""

from __future__ import annotations

import enum
import errno
import mmap
import os
import signal
import struct
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from pathlib import Path

SIZE = "4m"
"""Of the file system that is filled, as mount takes it."""
FILLER = "filler"
_FIELDS = ("armed", "count", "place", "action", "hit")
_LONGEST_CHUNK = 1 << 20
_PAGE = 4096


class Action(enum.IntEnum):
    """What a cut at a write does."""

    NOTHING = 0
    KILL = 1
    FILL = 2


class Disk:
    """The shared memory and the names of the writes, both files beside the state folder."""

    def __init__(self, folder: Path) -> None:
        """Open it, or make it.

        Args:
            folder: where the state folder is.
        """
        self._state = folder / "state"
        self._names_path = folder / "writes"
        path = folder / "disk"
        if not path.exists():
            path.write_bytes(bytes(4 * len(_FIELDS)))
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), 4 * len(_FIELDS))
        # In append mode: a daemon that is started again goes on where the one before was killed.
        self._names = os.open(self._names_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._lock = threading.RLock()
        self._busy = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._memory.close()
        os.close(self._names)

    def _get(self, field: str) -> int:
        (value,) = struct.unpack_from("<i", self._memory, 4 * _FIELDS.index(field))
        return int(value)

    def _set(self, field: str, value: int) -> None:
        struct.pack_into("<i", self._memory, 4 * _FIELDS.index(field), value)

    # The harness's side.

    def arm(self, action: Action = Action.NOTHING, place: int = 0) -> None:
        """Count writes from now on, and act at one of them."""
        self._set("place", place)
        self._set("action", action)
        self._set("armed", 1)

    def disarm(self) -> None:
        """Count no more."""
        self._set("armed", 0)

    @property
    def hit(self) -> bool:
        """Whether the place was come to."""
        return bool(self._get("hit"))

    @property
    def writes(self) -> list[str]:
        """What was written so far, by name."""
        return self._names_path.read_text(encoding="utf-8").splitlines()

    def make_room(self) -> None:
        """Empty the disk that was filled."""
        (self._state / FILLER).unlink(missing_ok=True)

    # The daemon's side.

    def holds(self, path: str) -> bool:
        """Whether a file is in the state folder."""
        return path.startswith(f"{self._state}/")

    def write(self, name: str) -> None:
        """Count a write that is about to happen, or that has just happened; here the cut falls."""
        with self._lock:
            if self._busy or not self._get("armed"):
                return
            self._busy = True
            try:
                self._set("count", self._get("count") + 1)
                os.write(self._names, f"{name}\n".encode())
                if self._get("count") == self._get("place"):
                    self._act(Action(self._get("action")))
            finally:
                self._busy = False

    def _act(self, action: Action) -> None:
        self._set("hit", 1)
        if action is Action.KILL:
            os.kill(os.getpid(), signal.SIGKILL)
        elif action is Action.FILL:
            fill(self._state / FILLER)


def fill(path: Path) -> None:
    """Write a file until not another page has room."""
    size = _LONGEST_CHUNK
    with suppress(OSError):
        filler = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            while size >= _PAGE:
                try:
                    os.write(filler, bytes(size))
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    size //= 2
        finally:
            os.close(filler)
