"""The system calls with which a process changes its files, counted by strace."""

from __future__ import annotations

import re
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_LIMIT = 10.0
"""The limit in seconds for strace to attach, and to detach."""


@dataclass(frozen=True, slots=True)
class FileWrites:
    """The writes that a process has made to its files since tracing began."""

    syncs: int
    """The number of calls of fdatasync and fsync."""
    written: int
    """The number of bytes written by pwrite64, the call that SQLite uses."""

    def since(self, earlier: FileWrites) -> FileWrites:
        """Return the difference from an earlier count."""
        return FileWrites(self.syncs - earlier.syncs, self.written - earlier.written)


class Strace:
    """Counts a process's writes during the `with` block. Needs strace and the right to trace the process."""

    def __init__(self, pid: int, record: Path) -> None:
        """Prepare to trace a process.

        Args:
            record: the file for strace's lines.
        """
        self._pid = pid
        self._record = record
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            ["strace", "-f", "-qq", "-e", "trace=fdatasync,fsync,pwrite64", "-e", "signal=none",
             "-o", str(self._record), "-p", str(self._pid)],
        )  # fmt: skip
        end = time.monotonic() + _LIMIT
        while f"TracerPid:\t{self._process.pid}\n" not in self._status():
            if self._process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"strace cannot trace the daemon (process {self._pid})")
            time.sleep(0.01)
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(_LIMIT)

    def count(self) -> FileWrites:
        """Return the writes since tracing began."""
        text = self._record.read_text(encoding="utf-8", errors="replace")
        sizes = re.findall(r"pwrite64(?:\(| resumed).*\) += (\d+)", text)
        return FileWrites(len(re.findall(r"(?:fdatasync|fsync)\(", text)), sum(map(int, sizes)))

    def _status(self) -> str:
        # strace attaches to the main thread after all others.
        return Path(f"/proc/{self._pid}/status").read_text(encoding="utf-8")
