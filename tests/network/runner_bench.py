"""A hook runner in a thread, with a folder for the owner's programs."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lpad.network.hook_runner_client import RunnerClient
from lpad.network.hook_runner_server import HookRunner

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass
class Runner:
    """A client of the hook runner, and the paths of the owner's programs."""

    folder: Path
    client: RunnerClient = field(init=False)

    def __post_init__(self) -> None:
        self.client = RunnerClient(str(self.folder / "runner.sock"))

    @property
    def command(self) -> Path:
        return self.folder / "programs" / "command"

    @property
    def hooks(self) -> Path:
        return self.folder / "programs" / "hooks.d"

    def script(self, path: Path, text: str) -> Path:
        """Write an executable shell script, and return its path."""
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        path.chmod(0o755)
        return path


@contextmanager
def runner(folder: Path) -> Iterator[Runner]:
    """Have a hook runner serve in a folder until the block ends."""
    made = Runner(folder)
    made.hooks.mkdir(mode=0o755, parents=True)
    serving = HookRunner(command=made.command, hooks=made.hooks)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(made.client.path)
        listening.listen()

        def serve() -> None:
            with suppress(OSError):
                serving.serve(listening)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield made
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join(10)
            assert not thread.is_alive()
