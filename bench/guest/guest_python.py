"""lpad in Debian's Python for another architecture, under qemu, which counts the instructions."""

from __future__ import annotations

import shlex
import subprocess
from array import array
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
RELEASE = "trixie"
"""The oldest release of Debian for which script/build-deb builds the packages of all `EMULATORS`."""
PACKAGES = ("acl", "ca-certificates", "libpcsclite1", "python3")
"""The packages that lpad's package depends on, as in script/start-foreign, which uses the same system."""
PLUGIN = Path(__file__).with_name("instruction_counter.c")


@dataclass(frozen=True, slots=True)
class Emulator:
    """A program of Debian's package qemu-user, which can load plugins; those of qemu-user-static cannot."""

    program: str
    processor: str


EMULATORS = {
    "amd64": Emulator("qemu-x86_64", "max"),
    "arm64": Emulator("qemu-aarch64", "cortex-a57"),
    "armhf": Emulator("qemu-arm", "cortex-a7"),
}
"""The emulators by Debian's name of the architecture; both ARM processors are common in gateways."""


class GuestPython:
    """One architecture's Python with lpad. `launcher` starts it in place of this machine's Python."""

    def __init__(
        self, architecture: str, folder: Path, *, system: Path, libraries: Path, plugin: Path
    ) -> None:
        """Write the launcher.

        Args:
            architecture: one of `EMULATORS`.
            folder: an existing folder for the launcher, the counts and compiled modules.
            system: a Debian system of this architecture, with Python.
            libraries: a folder with lpad and its libraries for this Python.
            plugin: the compiled `PLUGIN`.
        """
        emulator = EMULATORS[architecture]
        self._counts = folder / "counts"
        self._launcher = folder / "launcher"
        interpreter = (system / "usr/bin/python3").readlink().name
        # Python's folders are given by their paths on this machine, because statx of qemu 7.2 ignores -L.
        guest = [
            "env", f"PYTHONHOME={system / 'usr'}", f"PYTHONPATH={libraries}",
            emulator.program, "-cpu", emulator.processor, "-L", str(system),
            "-plugin", f"{plugin},counts={self._counts}",
            str(system / "usr/bin" / interpreter), "-X", f"pycache_prefix={folder / 'compiled'}",
        ]  # fmt: skip
        self._launcher.write_text(f'#!/bin/sh\nshift\nexec {shlex.join(guest)} "$@"\n', encoding="utf-8")
        self._launcher.chmod(0o700)

    @property
    def launcher(self) -> list[str]:
        """The prefix that replaces a command's interpreter by the guest's; reading it resets `executed`."""
        self._counts.unlink(missing_ok=True)
        return [str(self._launcher)]

    @property
    def executed(self) -> int:
        """The number of instructions that the command with the latest `launcher` has executed so far."""
        return total(self._counts.read_bytes())


def total(counts: bytes) -> int:
    """Return the sum of the plugin's counts.

    Args:
        counts: the plugin's file: one 64-bit number for each thread, in this machine's byte order.

    Raises:
        ValueError: no instruction was counted, or the file is not the plugin's.
    """
    threads = array("Q")
    threads.frombytes(counts)
    if not any(threads):
        raise ValueError("the plugin of qemu has counted no instruction")
    return sum(threads)


def built(architecture: str, folder: Path) -> GuestPython:
    """Build lpad's package and a Debian system for an architecture, and return Python with both.

    Building takes minutes the first time.

    Args:
        architecture: one of `EMULATORS`.
        folder: an empty folder, which the caller may remove later.
    """
    package = _printed("script/build-deb", "--release", RELEASE, "--arch", architecture)
    system = Path(_printed("script/debian-root", "--arch", architecture, RELEASE, *PACKAGES))
    plugin = folder / "instruction_counter.so"
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", str(plugin), str(PLUGIN)], check=True)
    subprocess.run(["dpkg-deb", "--extract", package, str(folder / "package")], check=True)
    (libraries,) = (folder / "package/usr/lib/lpad/lib").glob("python*/site-packages")
    return GuestPython(architecture, folder, system=system, libraries=libraries, plugin=plugin)


def _printed(*command: str) -> str:
    """Run a script and return its last line of output, a path."""
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.splitlines()[-1]
