"""Debian's mbim-proxy or qmi-proxy in its own network namespace."""

from __future__ import annotations

import subprocess
import threading
from typing import Self

FOLDER = "/usr/libexec"


class ProxyNamespace:
    """A network namespace with a proxy in it, whose abstract socket belongs to the namespace."""

    def __init__(self, proxy: str | None) -> None:
        """Start the namespace.

        Args:
            proxy: mbim-proxy or qmi-proxy, or None for a namespace without a proxy.
        """
        own = ["unshare", "--map-root-user", "--net"]
        command = ["sleep", "infinity"] if proxy is None else [f"{FOLDER}/{proxy}", "--no-exit"]
        self._process = subprocess.Popen([*own, *command], stderr=subprocess.DEVNULL)
        while (proxy or "Path") not in self.run("cat", "/proc/net/unix").stdout:
            assert self._process.poll() is None, f"{command[0]} has ended"
            threading.Event().wait(0.05)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    @property
    def enter(self) -> tuple[str, ...]:
        """The beginning of a command that runs in the namespace as its root."""
        return ("nsenter", "-t", str(self._process.pid), "-U", "-n", "--preserve-credentials")

    def run(self, *command: str, seconds: int = 60) -> subprocess.CompletedProcess[str]:
        """Run a program in the namespace, and return its result."""
        whole = [*self.enter, "timeout", str(seconds), *command]
        return subprocess.run(whole, capture_output=True, text=True, check=False)
