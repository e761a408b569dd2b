"""Removal of secrets from the command line that other users can see."""

from __future__ import annotations

from pathlib import Path

_ARG_START, _ARG_END = 48, 49
"""Numbers of fields in proc_pid_stat(5), counted from 1."""


def hide(*secrets: str | None) -> None:
    """Overwrite secrets in this process's own arguments, as ps and /proc/PID/cmdline show them.

    The secrets were visible from the start of the process until now, so standard input or a file is safer. If
    the system does not reveal where the arguments are, the secrets stay visible.
    """
    wanted = [each.encode() for each in secrets if each]
    if not wanted:
        return
    import ctypes  # noqa: PLC0415 - each command of lpactl loads this module, and few have a secret

    try:
        # The second field is the program's name in brackets, possibly with spaces and brackets in it.
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
