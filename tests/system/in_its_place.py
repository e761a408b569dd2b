"""Tries attacks on the system with the daemon's permissions, and prints the results as JSON."""

from __future__ import annotations

import ctypes
import json
import os
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

CLOSED = ("/etc", "/usr", "/var", "/run/lpad", "/srv", "/etc/lpad", "/home/ada")
NEW_USER_NAMESPACE = 0x10000000
SHOWN = ("Uid", "NoNewPrivs", "Seccomp", "CapEff", "CapPrm", "CapBnd", "CapAmb")


def attempts(port: str, other: str) -> dict[str, Callable[[], object]]:
    """Return the attempts by name, including those to open the serial port and another device."""
    return {
        **{f"write {folder}": Path(folder, "new").touch for folder in CLOSED},
        "write /var/lib/lpad": Path("/var/lib/lpad/new").touch,
        "list /home": lambda: list(Path("/home").iterdir()),
        "serial port": lambda: os.close(os.open(port, os.O_RDWR | os.O_NOCTTY)),
        "other device": lambda: os.close(os.open(other, os.O_RDONLY)),
        "raw network": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW),
        "become root": lambda: os.setuid(0),
        "user namespace": unshare,
    }


def unshare() -> None:
    """Enter a new user namespace, in which a process would have every capability."""
    if ctypes.CDLL(None, use_errno=True).unshare(NEW_USER_NAMESPACE):
        raise OSError(ctypes.get_errno(), "")


def outcome(what: Callable[[], object]) -> str:
    """Run one attempt, and return 'done' or the operating system's text for the error."""
    try:
        what()
    except OSError as error:
        return os.strerror(error.errno or 0)
    return "done"


if __name__ == "__main__":
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    status = dict(line.split(":\t", 1) for line in lines)
    found = {
        "status": {key: status[key] for key in SHOWN},
        "processes": sum(each.name.isdecimal() for each in Path("/proc").iterdir()),
        "attempts": {name: outcome(what) for name, what in attempts(*sys.argv[1:]).items()},
    }
    print(json.dumps(found))
