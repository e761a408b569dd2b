"""A daemon in a separate process: started and awaited, stopped as systemd does, or killed."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PATIENCE = 60.0
"""The maximum number of seconds for which to wait for an event, even on a slow machine."""


class DaemonProcess:
    """`lpad serve` with a settings file; the daemon's log is in the file `log` next to the settings file."""

    def __init__(self, settings: Path, *, launcher: Sequence[str] = (), patience: float = PATIENCE) -> None:
        """Prepare a daemon; nothing runs before `start`.

        Args:
            settings: the settings file, read at each start.
            launcher: a command that executes the daemon, such as setpriv with options.
            patience: seconds within which the daemon starts and stops.
        """
        self._settings = settings
        self._launcher = launcher
        self._patience = patience
        self._log = settings.with_name("log")
        self.process: subprocess.Popen[bytes] | None = None
        self.ready_seconds = 0.0
        """Seconds from the start of the latest daemon to its READY=1."""

    @property
    def log(self) -> str:
        """The log of the daemons with these settings."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def start(self) -> None:
        """Start the daemon and wait for its READY=1.

        Raises:
            AssertionError: the daemon ended instead, or was not ready in time.
        """
        notify_at = self._settings.with_name("notify")
        notify_at.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(str(notify_at))
            began = time.perf_counter()
            command = [sys.executable, "-m", "lpad.cli.lpad", "serve", "--config", str(self._settings)]
            with self._log.open("ab") as log:
                self.process = subprocess.Popen(  # noqa: S603 - our own program
                    [*self._launcher, *command],
                    env=os.environ | {"NOTIFY_SOCKET": str(notify_at)},
                    stdin=subprocess.DEVNULL,
                    stderr=log,
                )
            self._hear_ready(notify, self.process)
            self.ready_seconds = time.perf_counter() - began

    def stop(self) -> None:
        """Stop the daemon as systemd does, and check that it ends successfully."""
        process, self.process = self.process, None
        if process is not None:
            process.terminate()
            try:
                assert process.wait(self._patience) == 0, self.log
            finally:
                process.kill()

    def kill(self) -> None:
        """Kill the daemon, as a power cut would."""
        process, self.process = self.process, None
        assert process is not None, "the daemon is not running"
        process.kill()
        process.wait(self._patience)

    def _hear_ready(self, notify: socket.socket, process: subprocess.Popen[bytes]) -> None:
        """Wait until the daemon is ready; if it ends instead, its log explains why."""
        end = time.monotonic() + self._patience
        ended = os.pidfd_open(process.pid)
        watched: list[socket.socket | int] = [notify, ended]
        try:
            while True:
                heard, _, _ = select.select(watched, [], [], max(0.0, end - time.monotonic()))
                if notify in heard and notify.recv(4096).startswith(b"READY=1"):
                    return
                if notify not in heard:
                    self.kill()
                    raise AssertionError(f"the daemon did not start:\n{self.log}")
        finally:
            os.close(ended)
