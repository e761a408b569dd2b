"""A gateway's daemon, run as a service manager does: a test reads its messages, and can arm its watchdog."""

from __future__ import annotations

import os
import queue
import signal
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Self

from journeys.gateway import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from journeys.gateway import Gateway


class Managed:
    """Starts the gateway's daemon in place of `Gateway.start`; a context manager that ends it."""

    def __init__(
        self, gateway: Gateway, *, watchdog: float | None = None, environment: Mapping[str, str] | None = None
    ) -> None:
        """Create a manager with the watchdog's time in seconds, or None, and more environment variables."""
        self.gateway = gateway
        self._watchdog = watchdog
        self._environment = environment or {}
        self._messages: queue.Queue[dict[str, str]] = queue.Queue()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._thread = threading.Thread(target=self._listen)
        self.status = ""

    def __enter__(self) -> Self:
        path = self.gateway.folder / "manager"
        self._socket.bind(str(path))
        self._thread.start()
        environment = os.environ | self._environment | {"NOTIFY_SOCKET": str(path)}
        if self._watchdog is not None:
            environment["WATCHDOG_USEC"] = str(round(self._watchdog * 1e6))
        with (self.gateway.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable, "-m", "lpad.cli.lpad", "serve",
                    "--config", str(self.gateway.write_settings()),
                ],
                env=environment,
                stdin=subprocess.DEVNULL,
                stderr=log,
            )  # fmt: skip
        self.until("READY")
        return self

    def __exit__(self, *_: object) -> None:
        self.gateway.client.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            try:
                self.process.wait(PATIENCE)
            finally:
                self.process.kill()
                self.process.wait()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"", self._socket.getsockname())
        self._thread.join()
        self._socket.close()
        (self.gateway.folder / "manager").unlink()

    def message(self) -> dict[str, str]:
        """Wait for the daemon's next message, and return its variables."""
        message = self._messages.get(timeout=PATIENCE)
        self.status = message.get("STATUS", self.status)
        return message

    def until(self, name: str, value: str = "1") -> list[dict[str, str]]:
        """Return the next messages, up to the first in which the variable `name` has the given value."""
        messages = [self.message()]
        while messages[-1].get(name) != value:
            messages.append(self.message())
        return messages

    def until_status(self, text: str) -> None:
        """Wait until the daemon's status line contains a text."""
        while text not in self.status:
            self.message()

    def silent(self, seconds: float) -> bool:
        """Return whether no message arrives within the given seconds; earlier messages are dropped."""
        while not self._messages.empty():
            self.message()
        try:
            self._messages.get(timeout=seconds)
        except queue.Empty:
            return True
        return False

    def reload(self) -> list[dict[str, str]]:
        """Write the gateway's settings, reload them, and return the messages until it is ready again."""
        self.gateway.write_settings()
        return self.hangup()

    def hangup(self) -> list[dict[str, str]]:
        """Send SIGHUP as `systemctl reload` does, and return the messages until it is ready again."""
        self.process.send_signal(signal.SIGHUP)
        return [*self.until("RELOADING"), *self.until("READY")]

    def _listen(self) -> None:
        while content := self._socket.recv(65536):
            self._messages.put(dict(line.split("=", 1) for line in content.decode().splitlines()))
