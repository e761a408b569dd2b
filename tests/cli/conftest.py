"""A gateway, and lpactl as a process that sends requests to the gateway."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from contextlib import suppress
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
    """The output and exit code of a command."""

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


def at_a_terminal(command: list[str], *answers: str, after: str = "[y/N]:") -> tuple[int, str]:
    """Run a command at a terminal and answer its questions; return its exit code and all that it printed.

    Args:
        command: the program and its arguments.
        answers: one for each question, in order.
        after: the end of each question.
    """
    ours, theirs = pty.openpty()
    told, given = "", 0
    try:
        with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs) as process:
            os.close(theirs)
            with suppress(OSError):  # EIO: the command has ended
                while piece := os.read(ours, 4096):
                    told += piece.decode()
                    while given < min(told.count(after), len(answers)):
                        os.write(ours, answers[given].encode() + b"\n")
                        given += 1
        return process.returncode, told
    finally:
        os.close(ours)


@pytest.fixture
def terminal(tmp_path: Path, pki: Pki) -> Iterator[Terminal]:
    with Lab(tmp_path, pki) as lab, Gateway(lab) as gateway:
        lab.until(lambda: lab.engine.snapshot(CARD), lambda seen: seen.state is CardState.READY)
        yield Terminal(lab, gateway.path)
