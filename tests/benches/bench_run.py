"""`python -m hil` as a process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PATIENCE = 300.0


class Run:
    """A run of the bench, begun."""

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

    def end(self) -> int:
        """Wait for the end; everything that was said is in `output`."""
        said, _ = self.process.communicate(timeout=PATIENCE)
        self.output += said
        return self.process.returncode

    @property
    def folder(self) -> Path:
        return max((self.bench.parent / "runs").iterdir())

    @property
    def logs(self) -> str:
        """What the places' pytests said, for the message of a test that fails."""
        return "\n".join(path.read_text() for path in self.folder.glob("*/private/pytest.log"))
