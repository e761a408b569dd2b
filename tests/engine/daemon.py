"""The daemon as its own process, as systemd starts it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Self

from lpad.client import Client
from secret_hunt import HUNT

if TYPE_CHECKING:
    from engine.lab import Lab

PATIENCE = 120.0


class Daemon:
    """`lpad serve` on a lab's card and server; a context manager that ends it with SIGTERM."""

    def __init__(self, lab: Lab, **settings: Any) -> None:
        self.folder = lab.folder
        self.socket = lab.folder / "lpad.sock"
        self.config = lab.folder / "lpad.yaml"
        authorities = []
        for number, credential in enumerate(lab.pki.ci.values()):
            path = lab.folder / f"ca-{number}.der"
            path.write_bytes(credential.der)
            authorities.append(path.name)
        content = {
            "socket": "lpad.sock",
            "state_folder": "state",
            "euiccs": {"modem": {"port": str(lab.folder / "tty")}},
            "trust": {"extra_ca_files": authorities},
        } | settings
        self.config.write_text(json.dumps(content), encoding="utf-8")
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            assert self.stop() == 0, self.log()
        HUNT.hear(self.log())

    def start(self) -> None:
        """Start the daemon and wait for READY=1, as the service manager does."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            path = self.folder / "notify"
            path.unlink(missing_ok=True)
            manager.bind(str(path))
            manager.settimeout(PATIENCE)
            with (self.folder / "log").open("ab") as log:
                self.process = subprocess.Popen(
                    [sys.executable, "-m", "lpad.cli.lpad", "serve", "--config", str(self.config)],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env={**os.environ, "NOTIFY_SOCKET": str(path)},
                )
            told = manager.recv(1000)
        assert told.startswith(b"READY=1"), self.log()

    def stop(self) -> int:
        """End the daemon as the service manager does, and return its exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def kill(self) -> None:
        """End the daemon as a power cut does."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(PATIENCE)

    def client(self) -> Client:
        return Client(str(self.socket))

    def log(self) -> str:
        return (self.folder / "log").read_text(encoding="utf-8")
