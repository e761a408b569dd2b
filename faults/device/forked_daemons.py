"""Daemons that start quickly, because they are forks of a process that has already loaded lpad's code.

A daemon needs half a second to load its code, and each trial starts two daemons. Each forked daemon is a
separate process; the forking process only loads the code and forks. The harness adopts the daemon.
"""

from __future__ import annotations

import atexit
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
    """A forked daemon, with an interface like subprocess.Popen."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.code: int | None = None
        self._fd = os.pidfd_open(pid)

    def poll(self) -> int | None:
        """Return the daemon's exit code, negative if a signal ended it; None while it runs."""
        return self.wait(0)

    def wait(self, seconds: float) -> int | None:
        """Wait until the daemon ends, and return its exit code; None if the daemon did not end in time."""
        if self.code is None and select.select([self._fd], [], [], seconds)[0]:
            _, status = os.waitpid(self.pid, 0)
            self.code = os.waitstatus_to_exitcode(status)
            os.close(self._fd)
        return self.code

    def terminate(self) -> None:
        """Send SIGTERM to the daemon."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL to the daemon."""
        self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        if self.code is None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._fd, number)


class DaemonForks:
    """The process that forks daemons; `close` or the end of its parent process ends it."""

    def __init__(self) -> None:
        """Start the forking process, which loads lpad's code."""
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0):  # so that this process adopts the daemons
            raise OSError(ctypes.get_errno(), "prctl")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "faults.device.watched_daemon"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def fork(self, folder: Path, settings: Path, *, notify: Path, bus: str | None = None) -> Daemon:
        """Start and return a daemon.

        Args:
            folder: the device's folder, which also gets the log.
            settings: the daemon's settings.
            notify: the socket to which the daemon sends READY=1.
            bus: the address of the daemon's system bus; None: this machine's.
        """
        assert self._process.stdin is not None, "stdin is a pipe"
        assert self._process.stdout is not None, "stdout is a pipe"
        wanted = {"folder": str(folder), "settings": str(settings), "notify": str(notify), "bus": bus or ""}
        self._process.stdin.write(json.dumps(wanted).encode() + b"\n")
        self._process.stdin.flush()
        return Daemon(int(self._process.stdout.readline()))

    def close(self) -> None:
        """End the forking process; its daemons are not its children, and continue."""
        self._process.communicate()


_daemon_forks: DaemonForks | None = None


def daemon_forks() -> DaemonForks:
    """Return this process's forking process, which is started on first use."""
    global _daemon_forks  # noqa: PLW0603 - one for each process
    if _daemon_forks is None:
        _daemon_forks = DaemonForks()
        atexit.register(_daemon_forks.close)
    return _daemon_forks
