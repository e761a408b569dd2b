"""A daemon in a process of its own: started until it is ready, stopped as systemd does, or killed."""

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
"""Seconds within which anything that is waited for has happened, also on a slow machine."""


class DaemonProcess:
    """`lpad serve` with a settings file; its log is in the file `log` beside it."""

    def __init__(self, settings: Path, *, launcher: Sequence[str] = ()) -> None:
        """Prepare a daemon; nothing runs before `start`.

        Args:
            settings: its file, read at each start.
            launcher: a command that starts the daemon in its own place, such as setpriv with options.
        """
        self._settings = settings
        self._launcher = launcher
        self._log = settings.with_name("log")
        self.process: subprocess.Popen[bytes] | None = None
        self.ready_seconds = 0.0
        """From the start of the latest daemon to its READY=1."""

    @property
    def log(self) -> str:
        """What the daemons with these settings have logged."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def start(self) -> None:
        """Start the daemon and wait until it says READY=1.

        Raises:
            AssertionError: it ended instead, or was not ready in a minute.
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
        """Stop the daemon as systemd does, and see that it ends well."""
        process, self.process = self.process, None
        if process is not None:
            process.terminate()
            try:
                assert process.wait(PATIENCE) == 0, self.log
            finally:
                process.kill()

    def kill(self) -> None:
        """Take the daemon's life as a power cut does."""
        process, self.process = self.process, None
        assert process is not None, "the daemon is not running"
        process.kill()
        process.wait(PATIENCE)

    def _hear_ready(self, notify: socket.socket, process: subprocess.Popen[bytes]) -> None:
        """Wait until the daemon is ready; where it ends instead, its log says why."""
        end = time.monotonic() + PATIENCE
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
