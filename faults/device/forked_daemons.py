"""Daemons that need not load their code: a process has loaded it, and forks one whenever it is asked.

A daemon works half a second to load its code, and a trial needs two of them. Each is a process of its own
all the same: forked before anything but code is there, and adopted by the harness, which can wait for it.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_SET_CHILD_SUBREAPER = 36


class Daemon:
    """A daemon that was forked, much like subprocess.Popen."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.code: int | None = None
        self._fd = os.pidfd_open(pid)

    def poll(self) -> int | None:
        """Return its exit code, negative where a signal ended it; None while it runs."""
        return self.wait(0)

    def wait(self, seconds: float) -> int | None:
        """Wait for its end, and return its exit code; None where it did not end."""
        if self.code is None and select.select([self._fd], [], [], seconds)[0]:
            _, status = os.waitpid(self.pid, 0)
            self.code = os.waitstatus_to_exitcode(status)
            os.close(self._fd)
        return self.code

    def terminate(self) -> None:
        """Ask it to end."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        if self.code is None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._fd, number)


class DaemonForks:
    """The process; it ends with the one that began it."""

    def __init__(self) -> None:
        """Load lpad's code in it."""
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0):  # daemons become our children
            raise OSError(ctypes.get_errno(), "prctl")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "faults.device.watched_daemon"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def fork(self, folder: Path, settings: Path, *, notify: Path) -> Daemon:
        """Start a daemon.

        Args:
            folder: of the device; its log goes there.
            settings: the daemon's.
            notify: the socket to which it says READY=1.
        """
        assert self._process.stdin is not None, "it was asked for"
        assert self._process.stdout is not None, "likewise"
        wanted = {"folder": str(folder), "settings": str(settings), "notify": str(notify)}
        self._process.stdin.write(json.dumps(wanted).encode() + b"\n")
        self._process.stdin.flush()
        return Daemon(int(self._process.stdout.readline()))


_daemon_forks: DaemonForks | None = None


def daemon_forks() -> DaemonForks:
    """Return this process's one, begun when it is first asked for."""
    global _daemon_forks  # noqa: PLW0603 - one for a process
    if _daemon_forks is None:
        _daemon_forks = DaemonForks()
    return _daemon_forks
