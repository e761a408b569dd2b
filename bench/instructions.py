"""Instructions of the daemon's start and of a command of lpactl, counted by valgrind's callgrind."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

from bench.figure_with_goal import Figure, at_most
from journeys.gateway import CARD, PATIENCE, Gateway
from lpad.testing.daemon_process import DaemonProcess

if TYPE_CHECKING:
    from pathlib import Path

MILLION = 1e6
SLOWER = 20
"""The factor by which time limits grow for a program under callgrind."""
SPREAD = 0.02
STARTS = 3
"""The number of starts. The lowest count is used: each also includes the work from READY=1 to the dump."""
READY_GOAL, STATUS_GOAL = 800, 200


def instructions() -> list[Figure]:
    """Count the instructions from exec to READY=1, and of `lpactl status`, after the modules are compiled."""
    with Gateway(settings={"log": "warning"}) as gateway:
        gateway.client.refresh(CARD, wait=PATIENCE).check()
        status = _lpactl_status(gateway)
    ready = min(_until_ready() for _ in range(STARTS))
    return [
        at_most("instructions from exec to ready", ready, READY_GOAL, "million", spread=SPREAD),
        at_most("instructions of lpactl status", status, STATUS_GOAL, "million", spread=SPREAD),
    ]


def _until_ready() -> float:
    with Gateway() as gateway:
        gateway.stop()
        out = gateway.folder / "callgrind"
        daemon = DaemonProcess(gateway.write_settings(), launcher=_callgrind(out), patience=PATIENCE * SLOWER)
        daemon.start()
        assert daemon.process is not None
        dump = ["callgrind_control", "--dump", str(daemon.process.pid)]
        try:
            subprocess.run(dump, check=True, stdout=subprocess.DEVNULL)
        finally:
            daemon.stop()
        return _total(out.with_name("callgrind.1"))


def _lpactl_status(gateway: Gateway) -> float:
    out = gateway.folder / "callgrind"
    command = [sys.executable, "-m", "lpad.cli.lpactl", "--socket", str(gateway.socket), "status"]
    subprocess.run([*_callgrind(out), *command], check=True, stdout=subprocess.DEVNULL)
    return _total(out)


def _callgrind(out: Path) -> list[str]:
    return ["valgrind", "--quiet", "--tool=callgrind", f"--callgrind-out-file={out}"]


def _total(out: Path) -> float:
    found = re.search(r"^(?:summary|totals): (\d+)", out.read_text(encoding="utf-8"), re.MULTILINE)
    assert found is not None, f"callgrind wrote no total into {out}"
    return int(found[1]) / MILLION
