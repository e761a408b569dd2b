"""Secrets on the command line: taken out of what other users see of this process."""

from __future__ import annotations

import ctypes
from pathlib import Path

_ARG_START, _ARG_END = 48, 49
"""Fields of proc_pid_stat(5), from 1."""


def hide(*secrets: str | None) -> None:
    """Overwrite secrets in this process's own arguments, as ps and /proc/PID/cmdline show them.

    They were visible from the start of the process until now; whoever can wait for that should give them by
    standard input or a file. Where the system doesn't say where its arguments are, they stay.
    """
    wanted = [each.encode() for each in secrets if each]
    if not wanted:
        return
    try:
        # The second field is the program's name in brackets, with any blanks and brackets in it.
        fields = (
            Path("/proc/self/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        )
        start, end = (int(fields[number - 3]) for number in (_ARG_START, _ARG_END))
    except (OSError, IndexError, ValueError):
        return
    if not 0 < start < end:
        return
    shown = ctypes.string_at(start, end - start)
    for secret in wanted:
        at = shown.find(secret)
        while at >= 0:
            ctypes.memset(start + at, ord("x"), len(secret))
            at = shown.find(secret, at + len(secret))
