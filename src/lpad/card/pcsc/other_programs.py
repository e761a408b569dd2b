"""The other programs that use PC/SC, from /proc, for errors about occupied readers."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

_LIBRARY = "/libpcsclite"
_DAEMON = "pcscd"
_KNOWN = frozenset({"scdaemon", "pcsc_scan", "lpac"})
"""Programs that are listed even if this user may not see their loaded libraries."""


def programs_using_pcsc(proc: Path = Path("/proc")) -> list[str]:
    """Return the other processes that have loaded the PC/SC library, such as `scdaemon (pid 812)`.

    Root finds all programs; another user finds only its own, and some that lpad knows by name.
    """
    found = []
    # Sorting by length first gives the numeric order, without parsing the names as numbers.
    for process in sorted(proc.glob("[0-9]*"), key=lambda each: (len(each.name), each.name)):
        if process.name == str(os.getpid()):
            continue
        with suppress(OSError, UnicodeDecodeError):  # the process has ended
            name = (process / "comm").read_text(encoding="utf-8").strip()
            if name != _DAEMON and (name in _KNOWN or _has_library(process)):
                found.append(f"{name} (pid {process.name})")
    return found


def _has_library(process: Path) -> bool:
    try:
        return _LIBRARY in (process / "maps").read_text(encoding="utf-8", errors="replace")
    except OSError:  # the process belongs to another user
        return False
