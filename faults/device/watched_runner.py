"""A runner of the owner's programs that counts each run, and a hook that records each event."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lpad.network.hook_runner_server import HookRunner

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from faults.device.step_counter import StepCounter

_HOOK = """#!/bin/sh
echo "$LPAD_EVENT $LPAD_ICCID" >> {told}
"""
_ENDING = 10.0


class _CountingRunner(HookRunner, kw_only=True):
    step_counter: StepCounter

    def serve_one(self, connection: socket.socket) -> None:
        self.step_counter.run()
        HookRunner.serve_one(self, connection)


@dataclass(frozen=True, slots=True)
class WatchedRunner:
    """A runner in a device's folder.

    Attributes:
        socket: the path of the runner's socket.
        told: the file with the events of this runner and of earlier runners in the folder.
    """

    socket: Path
    told: Path

    def events(self, name: str) -> list[str]:
        """Return the ICCIDs with which an event was recorded, the earliest first."""
        if not self.told.exists():
            return []
        lines = [each.split() for each in self.told.read_text(encoding="utf-8").splitlines()]
        return [each[1] for each in lines if len(each) == 2 and each[0] == name]


@contextmanager
def running(folder: Path, step_counter: StepCounter) -> Iterator[WatchedRunner]:
    """Provide a runner that serves requests inside the block."""
    runner = WatchedRunner(folder / "runner.sock", folder / "told")
    hooks = folder / "hooks.d"
    hooks.mkdir(mode=0o755, exist_ok=True)
    hook = hooks / "10-tells"
    hook.write_text(_HOOK.format(told=runner.told), encoding="utf-8")
    hook.chmod(0o755)
    serving = _CountingRunner(command=None, hooks=hooks, step_counter=step_counter)
    runner.socket.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(runner.socket))
        listening.listen()

        def serve() -> None:
            with suppress(OSError):  # at the end of the context, the socket is closed
                serving.serve(listening)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield runner
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join(_ENDING)
