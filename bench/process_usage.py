"""The resources that a process uses, read from /proc."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Usage:
    """The resources that a process uses, or has used so far, at one moment."""

    cpu_seconds: float
    """The user and system time of all threads of the process."""
    resident_mib: float
    peak_mib: float
    written: int
    """The bytes that the process has caused to be written to storage: write_bytes of /proc/PID/io."""
    wake_ups: int
    """The voluntary context switches of all threads of the process; each is counted as one wake-up."""


def usage(pid: int) -> Usage:
    """Read the resources that a running process has used so far."""
    root = Path(f"/proc/{pid}")
    stat = (root / "stat").read_text().rpartition(")")[2].split()
    status = _status(root / "status")
    wakes = sum(
        int(_status(task / "status")["voluntary_ctxt_switches"]) for task in (root / "task").iterdir()
    )
    return Usage(
        cpu_seconds=(int(stat[11]) + int(stat[12])) / _TICKS,
        resident_mib=int(status["VmRSS"].split()[0]) / 1024,
        peak_mib=int(status["VmHWM"].split()[0]) / 1024,
        written=int(_status(root / "io")["write_bytes"]),
        wake_ups=wakes,
    )


def _status(path: Path) -> dict[str, str]:
    lines = (line.partition(":") for line in path.read_text().splitlines())
    return {key: value.strip() for key, _, value in lines}
