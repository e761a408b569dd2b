"""A gateway, and lpactl as a process that speaks to it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from api.gateway import Gateway
from engine.lab import CARD, Lab
from lpad.engine.snapshot.snapshot import CardState

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lpad.simulator.pki.pki import Pki

PATIENCE = 120.0


@dataclass(frozen=True)
class Finished:
    """What a command left."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    def ok(self) -> Finished:
        assert self.code == 0, self.err
        return self


@dataclass(frozen=True)
class Terminal:
    """A lab behind its API, and commands run as a shell runs them."""

    lab: Lab
    socket: Path

    @property
    def command(self) -> list[str]:
        return [sys.executable, "-m", "lpad.cli.lpactl", "--socket", str(self.socket)]

    def lpactl(self, *arguments: str, stdin: str = "") -> Finished:
        return run([*self.command, *arguments], stdin=stdin)


def run(command: list[str], *, stdin: str = "") -> Finished:
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, timeout=PATIENCE)
    return Finished(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def terminal(tmp_path: Path, pki: Pki) -> Iterator[Terminal]:
    with Lab(tmp_path, pki) as lab, Gateway(lab) as gateway:
        lab.until(lambda: lab.engine.snapshot(CARD), lambda seen: seen.state is CardState.READY)
        yield Terminal(lab, gateway.path)
