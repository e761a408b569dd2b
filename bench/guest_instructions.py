"""Instructions of the daemon's start and of a command on other architectures, counted under qemu."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from bench.figure_with_goal import Figure
from bench.guest.guest_python import built
from journeys.gateway import CARD, PATIENCE, Gateway
from lpad.testing.daemon_process import DaemonProcess

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bench.guest.guest_python import GuestPython

MILLION = 1e6
SLOWER = 30
"""The factor by which time limits grow for a program under qemu."""
TIMES = 2
"""The number of runs: in the first, Python compiles the modules; the last one counts."""


def guest_instructions(architectures: Iterable[str]) -> list[Figure]:
    """Count the instructions from exec to READY=1, and of `lpactl status`, after the modules are compiled.

    Args:
        architectures: Debian's names of the architectures.
    """
    return [figure for each in architectures for figure in _counted(each)]


def _counted(architecture: str) -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="lpad-guest-") as folder:
        guest = built(architecture, Path(folder))
        for _ in range(TIMES):
            ready = _until_ready(guest)
        with Gateway(settings={"log": "warning"}) as gateway:
            gateway.client.refresh(CARD, wait=PATIENCE).check()
            for _ in range(TIMES):
                status = _lpactl_status(guest, gateway)
    return [
        _figure(f"instructions from exec to ready, {architecture}", ready),
        _figure(f"instructions of lpactl status, {architecture}", status),
    ]


def _until_ready(guest: GuestPython) -> int:
    with Gateway() as gateway:
        gateway.stop()
        daemon = DaemonProcess(gateway.write_settings(), launcher=guest.launcher, patience=PATIENCE * SLOWER)
        daemon.start()
        executed = guest.executed
        daemon.stop()
    return executed


def _lpactl_status(guest: GuestPython, gateway: Gateway) -> int:
    command = [sys.executable, "-m", "lpad.cli.lpactl", "--socket", str(gateway.socket), "status"]
    subprocess.run([*guest.launcher, *command], check=True, stdout=subprocess.DEVNULL)
    return guest.executed


def _figure(name: str, executed: int) -> Figure:
    return Figure(name, executed / MILLION, 0.0, "million", float("inf"))
