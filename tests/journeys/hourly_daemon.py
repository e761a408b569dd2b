"""A daemon that checks for an absent card only once an hour, unless the modem reports something."""

from __future__ import annotations

import runpy
import sys
from typing import TYPE_CHECKING

from lpad.engine.worker import presence
from lpad.testing.daemon_process import DaemonProcess

if TYPE_CHECKING:
    from pathlib import Path


def hourly_daemon(settings: Path) -> DaemonProcess:
    """Return a daemon with the given settings file that checks for an absent card only once an hour."""
    return DaemonProcess(settings, launcher=(sys.executable, __file__))


if __name__ == "__main__":
    presence.REOPENING = (3600,)
    _python, _option, module, *words = sys.argv[1:]  # the words of the daemon's usual command
    sys.argv = [module, *words]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
