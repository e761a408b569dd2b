"""The daemon's disk: shared memory in which the daemon reports writes and the harness requests a cut.

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

from faults.injected.flip import FILES, chosen

if TYPE_CHECKING:
    from pathlib import Path

    from faults.injected.flip import Flip

SIZE = "4m"
"""The size of the small file system, as `mount` accepts it."""
FILLER = "filler"
COMMITTING = "before COMMIT"
COMMITTED = "after COMMIT"
WAL_BEFORE = "wal-before"
"""A copy, next to the state folder, of the journal's write-ahead log before a torn COMMIT."""
_FIELDS = ("armed", "count", "commits", "place", "action", "hit")
_LONGEST_CHUNK = 1 << 20
_PAGE = 4096
_SECTOR = 512


class Action(enum.IntEnum):
    """The actions of a cut at a write."""

    NOTHING = 0
    KILL = 1
    FILL = 2
    TEAR = 3
    FILL_FOR_COMMIT = 4
    FLIP = 5


_AT_COMMITS = {
    Action.TEAR: COMMITTED,
    Action.FLIP: COMMITTED,
    Action.FILL_FOR_COMMIT: COMMITTING,
}
"""Actions whose place is counted in COMMITs, each with its moment: before or after the COMMIT."""


class Disk:
    """The shared memory and the names of the writes, which are in files next to the state folder."""

    def __init__(self, folder: Path) -> None:
        """Open the shared memory, or create it.

        Args:
            folder: the folder that contains the state folder.
        """
        self._state = folder / "state"
        self._names_path = folder / "writes"
        path = folder / "disk"
        if not path.exists():
            path.write_bytes(bytes(4 * len(_FIELDS)))
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), 4 * len(_FIELDS))
        # In append mode: a restarted daemon continues where the previous one was killed.
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
        """Start counting, and carry out the action at write number `place`, or at COMMIT number `place`."""
        self._set("place", place)
        self._set("action", action)
        self._set("armed", 1)

    def disarm(self) -> None:
        """Stop counting."""
        self._set("armed", 0)

    @property
    def hit(self) -> bool:
        """Whether the daemon has reached the write at which the action is due."""
        return bool(self._get("hit"))

    @property
    def writes(self) -> list[str]:
        """The names of all writes so far."""
        return self._names_path.read_text(encoding="utf-8").splitlines()

    def make_room(self) -> None:
        """Free the space on the filled disk."""
        (self._state / FILLER).unlink(missing_ok=True)

    def tear(self) -> None:
        """Keep only the first half of the last COMMIT's data; call this after the daemon has ended."""
        before, after = self._wal_before.read_bytes(), self._wal.read_bytes()
        self._wal.write_bytes(torn(before, after))

    def flip(self, seed: int) -> Flip:
        """Flip one bit of the journal, and return the flip; call this after the daemon has ended.

        Args:
            seed: selects the bit; for files of the same sizes, a seed always selects the same bit.
        """
        files = {name: self._state / name for name in FILES}
        sizes = {name: path.stat().st_size for name, path in files.items() if path.exists()}
        (flip,) = chosen(sizes, 1, seed)
        path = files[flip.file]
        path.write_bytes(flip.done_to(path.read_bytes()))
        return flip

    @property
    def _wal(self) -> Path:
        return self._state / "journal.db-wal"

    @property
    def _wal_before(self) -> Path:
        return self._state.with_name(WAL_BEFORE)

    # The daemon's side.

    def holds(self, path: str) -> bool:
        """Return whether a file is in the state folder."""
        return path.startswith(f"{self._state}/")

    def write(self, name: str) -> None:
        """Count a write that is about to happen or has just happened, and make the cut if it is due."""
        with self._lock:
            if self._busy or not self._get("armed"):
                return
            self._busy = True
            try:
                self._set("count", self._get("count") + 1)
                self._set("commits", self._get("commits") + (name == COMMITTING))
                os.write(self._names, f"{name}\n".encode())
                action = Action(self._get("action"))
                count = self._get("commits" if action in _AT_COMMITS else "count")
                if count == self._get("place"):
                    self._act(action, name)
            finally:
                self._busy = False

    def _act(self, action: Action, name: str) -> None:
        if action is Action.TEAR and name == COMMITTING:
            self._wal_before.write_bytes(self._wal.read_bytes() if self._wal.exists() else b"")
            return
        if action in _AT_COMMITS and name != _AT_COMMITS[action]:
            return
        self._set("hit", 1)
        if action in (Action.KILL, Action.TEAR, Action.FLIP):
            os.kill(os.getpid(), signal.SIGKILL)
        elif action in (Action.FILL, Action.FILL_FOR_COMMIT):
            fill(self._state / FILLER)


def torn(before: bytes, after: bytes) -> bytes:
    """Return a file's content if only the first half of the changed sectors has reached the disk."""
    same = next((at for at, (old, new) in enumerate(zip(before, after, strict=False)) if old != new), None)
    first = min(len(before), len(after)) if same is None else same
    changed = (at for at in range(first, len(after)) if after[at : at + 1] != before[at : at + 1])
    end = max(changed, default=first - 1) + 1
    middle = (first + end) // 2 // _SECTOR * _SECTOR
    return after[:middle] + before[middle:]


def fill(path: Path) -> None:
    """Write a file until the disk is full."""
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
