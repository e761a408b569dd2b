"""A Debian that systemd-nspawn boots, with an overlay that is deleted afterwards."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE = 240.0
"""The maximum number of seconds that a test waits for a state, enough for a slow machine."""

_ENVIRONMENT = {
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    "DEBIAN_FRONTEND": "noninteractive",
    "SYSTEMD_PAGER": "",
    "TERM": "dumb",
}


class Container:
    """A container that runs within a `with` block; its changes are deleted afterwards."""

    def __init__(self, root: Path) -> None:
        """Prepare a container.

        Args:
            root: a Debian's root folder, which is only read.
        """
        self._folder = Path(tempfile.mkdtemp(prefix="lpad-system-"))
        self._lower = root
        self.root = self._folder / "root"
        """The container's root folder, in which a test can write from outside."""
        self._process: subprocess.Popen[bytes] | None = None
        self._first: int | None = None

    def __enter__(self) -> Self:
        upper, work = self._folder / "upper", self._folder / "work"
        for each in (upper, work, self.root):
            each.mkdir()
        layers = f"lowerdir={self._lower},upperdir={upper},workdir={work}"
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", layers, str(self.root)], check=True)
        try:
            self.write("/etc/hosts", "127.0.0.1 localhost\n")
            self._boot()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._process is not None:
            self._process.terminate()  # systemd-nspawn shuts the container down when it is terminated
            try:
                self._process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(PATIENCE)
        subprocess.run(["umount", str(self.root)], check=True)
        shutil.rmtree(self._folder)

    def _boot(self) -> None:
        with (self._folder / "console").open("wb") as console:
            self._process = subprocess.Popen(
                [
                    *("systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit"),
                    # The container cannot reach this machine's network, and needs nothing from it.
                    *("--private-network", "--console=read-only", "--link-journal=no"),
                    # The container's systemd enforces DeviceAllow= with a BPF program.
                    *("--system-call-filter=bpf", "--capability=CAP_BPF"),
                    *("--machine=lpad-system-test", f"--directory={self.root}"),
                ],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                env=os.environ | {"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
            )
        self.until(lambda: self._find_init() is not None, "systemd-nspawn to begin")
        self._first = self._find_init()
        self.until(
            lambda: (
                self.run("systemctl", "is-system-running", check=False).strip() in {"running", "degraded"}
            ),
            "the container to boot",
        )

    def _find_init(self) -> int | None:
        """Return the PID outside the container of the container's process 1, or None before it exists."""
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        for child in children.read_text(encoding="utf-8").split():
            with suppress(OSError):  # the process may have ended
                status = Path(f"/proc/{child}/status").read_text(encoding="utf-8")
                (numbers,) = re.findall(r"^NSpid:\s*(.*)$", status, re.MULTILINE)
                if len(numbers.split()) > 1 and numbers.split()[-1] == "1":
                    return int(child)
        return None

    def console(self) -> str:
        """Return the output on the container's console."""
        return (self._folder / "console").read_text(encoding="utf-8", errors="replace")

    def write(self, path: str, text: str, *, mode: int = 0o644) -> None:
        """Write a file in the container; a file that exists keeps its owner and mode."""
        target = self.root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        new = not target.exists()
        target.write_text(text, encoding="utf-8")
        if new:
            target.chmod(mode)

    def popen(self, *command: str, user: str | None = None) -> subprocess.Popen[str]:
        """Start a program in the container, as root or as the named user."""
        assert self._first is not None, "not booted"
        become = (
            ()
            if user is None
            else ("setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "--reset-env")
        )
        return subprocess.Popen(
            ["nsenter", f"--target={self._first}", "--all", "--", *become, *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**_ENVIRONMENT, "HOME": "/root"},
        )

    def run(self, *command: str, user: str | None = None, check: bool = True, code: int = 0) -> str:
        """Return a program's output, and with an expected exit status other than 0 also its standard error.

        Args:
            command: the program and its arguments.
            user: the user that the program runs as, or None for root.
            check: whether an exit status other than `code` is an error.
            code: the expected exit status.
        """
        with self.popen(*command, user=user) as process:
            said, complaint = finish(process)
        if check:
            ended = f"{' '.join(command)}: exit {process.returncode}\n{said}\n{complaint}"
            assert process.returncode == code, ended
        return said + complaint if code else said

    def journal(self, *arguments: str) -> str:
        """Return the container's journal, or the part that `arguments` select."""
        return self.run("journalctl", "--no-pager", "--output=short-precise", *arguments, check=False)

    def until(self, holds: Callable[[], bool], what: str) -> None:
        """Wait until a state is reached; fail if the container ends or PATIENCE passes.

        Args:
            holds: returns whether the state is reached.
            what: the state, for the message of a timeout.
        """
        end = time.monotonic() + PATIENCE
        while not holds():
            assert self._process is not None
            assert self._process.poll() is None, f"the container has ended\n{self.console()}"
            assert time.monotonic() < end, f"waited {PATIENCE:.0f} s for {what}"
            threading.Event().wait(0.1)


def finish(process: subprocess.Popen[str]) -> tuple[str, str]:
    """Return a program's output and standard error; kill the program if it takes too long."""
    try:
        said, complaint = process.communicate(timeout=2 * PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        said, complaint = process.communicate()
        complaint += f"\n(killed after {2 * PATIENCE:.0f} s)"
    return said, complaint
