"""Debian's mbim-proxy and mbimcli, alone in their own network namespace."""

from __future__ import annotations

import subprocess
import threading
from typing import Self

PROXY = "/usr/libexec/mbim-proxy"


class MbimNamespace:
    """A network namespace with mbim-proxy in it, whose abstract socket belongs to the namespace."""

    def __init__(self, *, proxy: bool = True) -> None:
        """Start the namespace, with the proxy or empty."""
        own = ["unshare", "--map-root-user", "--net"]
        command = [PROXY, "--no-exit"] if proxy else ["sleep", "infinity"]
        self._process = subprocess.Popen([*own, *command], stderr=subprocess.DEVNULL)
        ready = "mbim-proxy" if proxy else "Path"
        while ready not in self.run("cat", "/proc/net/unix").stdout:
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
        """Run a program in the namespace."""
        whole = [*self.enter, "timeout", str(seconds), *command]
        return subprocess.run(whole, capture_output=True, text=True, check=False)
