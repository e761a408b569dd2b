"""Texts about the program that holds a port that lpad needs, with the remedy."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

_MODEM_MANAGER = "ModemManager"
_PROCESSES = Path("/proc")


def held_elsewhere(port: str, *, processes: Path = _PROCESSES) -> str:
    """Return the text for a port that another program holds, with the program's name if known.

    ModemManager runs as root, so other users cannot see its open files; but they can see that it runs.
    """
    holders = _holders(port, processes)
    suspects = holders or _running(_MODEM_MANAGER, processes)
    named = ", ".join(f"{name} (pid {pid})" for name, pid in suspects)
    if any(name == _MODEM_MANAGER for name, _ in suspects):
        who = f"{named} holds it" if holders else f"another program holds it, most likely {named}"
        return (
            f"{who}; either install lpad with its extra (pip install 'lpad[modemmanager]') and leave"
            " modem_manager.inhibit at 'auto' in the settings, so that lpad can borrow the port; or keep"
            " ModemManager off the port with a udev rule that sets ID_MM_PORT_IGNORE=1, or stop ModemManager"
        )
    # lpad's service in the Debian package sees only its own processes.
    asked = "" if named else f"; 'lpad probe --port {port}' as root may show which program it is"
    return (
        f"another program holds it{f': {named}' if named else ''}; stop that program, or give lpad a port of"
        f" its own (most modems have several){asked}"
    )


def modem_manager_runs() -> bool:
    """Return whether ModemManager runs, according to /proc."""
    return bool(_running(_MODEM_MANAGER, _PROCESSES))


def names_of_holders(port: str) -> frozenset[str]:
    """Return the names of the processes that have a port open; only root sees other users' processes."""
    return frozenset(name for name, _ in _holders(port, _PROCESSES))


def holders(port: str) -> tuple[str, ...]:
    """Return the processes that have a port open, as `NAME (pid PID)`; only root sees other users'."""
    return tuple(f"{name} (pid {pid})" for name, pid in _holders(port, _PROCESSES))


def _holders(port: str, processes: Path) -> list[tuple[str, str]]:
    """Return the name and the PID of each process that has a port open, according to /proc."""
    device = os.path.realpath(port)
    found = []
    for process in processes.glob("[0-9]*"):
        with suppress(OSError):  # the process has ended, or belongs to another user
            if any(os.path.realpath(fd) == device for fd in (process / "fd").iterdir()):
                found.append((_name(process), process.name))
    return found


def _running(name: str, processes: Path) -> list[tuple[str, str]]:
    found = []
    for process in processes.glob("[0-9]*"):
        with suppress(OSError):
            if _name(process) == name:
                found.append((name, process.name))
    return found


def _name(process: Path) -> str:
    return (process / "comm").read_text(encoding="utf-8").strip()
