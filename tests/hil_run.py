"""`python -m hil` as a process."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[1]
PATIENCE = 300.0


class Run:
    """A run of the bench with this bench file and these arguments, started as a process."""

    def __init__(self, bench: Path, *arguments: str) -> None:
        self.bench = bench
        path = os.pathsep.join([str(ROOT), str(ROOT / "tests"), *sys.path])
        self.process = subprocess.Popen(
            [sys.executable, "-m", "hil", "--bench", str(bench), *arguments],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.output = ""

    def until(self, holds: Callable[[], bool]) -> None:
        """Wait, at most PATIENCE seconds, until a condition holds; fail if the run ends before."""
        end = time.monotonic() + PATIENCE
        while not holds():
            assert self.process.poll() is None, f"the run has ended: {self.end()}\n{self.output}"
            assert time.monotonic() < end, "the condition was not met in time"
            time.sleep(0.02)

    def end(self) -> int:
        """Wait for the run's end, and return its exit code; its output is then in `output`."""
        said, _ = self.process.communicate(timeout=PATIENCE)
        self.output += said
        return self.process.returncode

    @property
    def folder(self) -> Path:
        return max((self.bench.parent / "runs").iterdir())

    @property
    def logs(self) -> str:
        """Return the output of the places' pytests, for the message of a failed test."""
        return "\n".join(path.read_text() for path in self.folder.glob("*/private/pytest.log"))
