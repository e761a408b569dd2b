"""Debian's own mosquitto, started for one test."""

from __future__ import annotations

import socket
import subprocess
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

MOSQUITTO = "/usr/sbin/mosquitto"


class Mosquitto:
    """A broker on a port of this machine, which keeps its state across `stop` and `start`."""

    def __init__(self, folder: Path, *lines: str, port: int | None = None, anonymous: bool = True) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.port = port or _free_port()
        self.log = folder / "mosquitto.log"
        self._conf = folder / "mosquitto.conf"
        self._anonymous = anonymous
        self.lines = list(lines)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the broker, and wait until it accepts connections."""
        state = self.folder / "state"
        state.mkdir(exist_ok=True)
        self._conf.write_text(
            "\n".join(
                [
                    "user root",
                    "per_listener_settings false",
                    f"listener {self.port} 127.0.0.1",
                    f"allow_anonymous {'true' if self._anonymous else 'false'}",
                    "persistence true",
                    f"persistence_location {state}/",
                    "autosave_on_changes true",
                    "autosave_interval 1",
                    "max_queued_messages 20000",
                    "log_type all",
                    *self.lines,
                    "",
                ]
            )
        )
        with self.log.open("ab") as log:
            self._process = subprocess.Popen([MOSQUITTO, "-c", str(self._conf)], stdout=log, stderr=log)
        end = time.monotonic() + 60
        while True:
            assert self._process.poll() is None, self.log.read_text()
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
            except OSError:
                assert time.monotonic() < end, self.log.read_text()
                time.sleep(0.02)
            else:
                return

    def stop(self) -> None:
        """Stop the broker, which then writes its state."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)
            self._process = None

    def kill(self) -> None:
        """End the broker as in a power cut."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(30)
            self._process = None

    def logged(self) -> str:
        """Return the broker's log."""
        return self.log.read_text()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
