"""Checks, before the first test, that the machine has what the tests require; each lack is one sentence."""

from __future__ import annotations

import errno
import os
import pty
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOM = 500_000_000
"""The free space in bytes for the journals, package trees and captures of a whole run, with some to spare."""
LONGEST_FOLDER = 40
"""The longest path of the temporary folder, because a socket's path may have only 107 characters."""
LOOPBACK = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))
"""Addresses at which tests listen."""
FULL = (errno.ENOSPC, errno.EDQUOT)
_REMEDIES = {
    socket.AF_INET: "run 'ip link set lo up'",
    socket.AF_INET6: "run 'ip link set lo up' and 'sysctl net.ipv6.conf.lo.disable_ipv6=0'",
}
PROGRAMS = {
    "curl": "curl",
    "dbus-daemon": "dbus-daemon",
    "systemd-analyze": "systemd",
    "groff": "groff-base",
    "node": "nodejs",
    "getfacl": "acl",
    "/usr/sbin/pcscd": "pcscd",
}
"""The programs that tests start, and their Debian packages."""


def lacks(*, temporary: Path, programs: dict[str, str], room: int = ROOM) -> Iterator[str]:
    """Check this machine.

    Args:
        temporary: the folder for temporary files.
        programs: the Debian package of each program that tests start.
        room: the number of bytes that must be free in `temporary`.

    Yields:
        One sentence for each thing that is missing, with the remedy.
    """
    yield from _lacks_loopback()
    yield from _lacks_temporary(temporary, room)
    try:
        os.close(pty.openpty()[0])
    except OSError as error:
        yield f"No pseudo-terminal can be opened ({error}): mount devpts on /dev/pts."
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        packages = " ".join(sorted({programs[program] for program in missing}))
        yield f"{', '.join(missing)} cannot be started: install {packages} (Debian's names of the packages)."


def _lacks_loopback() -> Iterator[str]:
    try:
        found = {str(each[4][0]) for each in socket.getaddrinfo("localhost", 0)}
    except OSError:
        found = set()
    if not found & {"127.0.0.1", "::1"}:
        yield 'The name localhost leads nowhere: add the line "127.0.0.1 localhost" to /etc/hosts.'
    for family, address in LOOPBACK:
        try:
            with (
                socket.create_server((address, 0), family=family) as server,
                socket.socket(family) as client,
            ):
                client.settimeout(5)
                client.connect(server.getsockname())
        except OSError as error:
            yield f"No connection to {address} on this machine ({_reason(error)}): {_REMEDIES[family]}."


def _lacks_temporary(folder: Path, room: int) -> Iterator[str]:
    if len(str(folder)) > LONGEST_FOLDER:
        yield (
            f"The path {folder} is too long for the sockets in it ({LONGEST_FOLDER} characters at "
            "most): set TMPDIR to a shorter path."
        )
    try:
        free = shutil.disk_usage(folder).free
        with tempfile.TemporaryDirectory(dir=folder) as made:
            program = Path(made) / "program"
            program.write_text("#!/bin/sh\n", encoding="ascii")
            program.chmod(0o700)
            subprocess.run([program], check=True)
    except PermissionError:
        yield f"Programs in {folder} cannot be started (it is mounted noexec?): set TMPDIR to another folder."
    except OSError as error:
        remedy = "free some room there" if error.errno in FULL else "make it a folder that can be written to"
        yield f"{folder} cannot be used ({_reason(error)}): {remedy}, or set TMPDIR to another folder."
    else:
        if free < room:
            yield (
                f"{folder} has {free // 1_000_000} MB of free space, and the tests need "
                f"{room // 1_000_000} MB: free some, or set TMPDIR to another folder."
            )


def _reason(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno else str(error)


if __name__ == "__main__":
    # TMPDIR is used unchanged, because Python would silently prefer another folder to an unusable one.
    wanted = Path(os.environ.get("TMPDIR") or "/tmp")
    sentences = list(lacks(temporary=wanted, programs=PROGRAMS))
    for sentence in sentences:
        print(sentence, file=sys.stderr)
    sys.exit(bool(sentences))
