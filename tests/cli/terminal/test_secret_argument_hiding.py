"""Codes given on the command line are soon gone from the list of processes."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lpad.cli.terminal.secret_argument_hiding import hide

if TYPE_CHECKING:
    from collections.abc import Iterator

CODE = "LPA:1$smdp.example.com$LISTED-BY-PS"
PATIENCE = 30.0


@pytest.fixture
def mute(tmp_path: Path) -> Iterator[Path]:
    """Yield the path of a socket on which no daemon ever answers."""
    path = tmp_path / "lpad.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        yield path


@pytest.mark.parametrize(
    ("arguments", "secret"),
    [
        (["download", CODE], "LISTED-BY-PS"),
        (["download", "--confirmation-code", "sEcret-code", "-f", "-"], "sEcret-code"),
        (["download", "--confirmation-code=sEcret-code", "-f", "-"], "sEcret-code"),
        (["answer", "7", "--confirmation-code", "sEcret-code"], "sEcret-code"),
    ],
)
def test_codes_leave_the_list_of_processes(mute: Path, arguments: list[str], secret: str) -> None:
    """While lpactl waits for the daemon, ps shows that there was a code, but not the code."""
    process = subprocess.Popen(
        [sys.executable, "-m", "lpad.cli.lpactl", "--socket", str(mute), "--euicc", "modem", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ,
    )
    try:
        assert process.stdin is not None
        process.stdin.write(CODE.encode() + b"\n")
        process.stdin.close()
        end = time.monotonic() + PATIENCE
        shown = Path(f"/proc/{process.pid}/cmdline")
        while secret.encode() in shown.read_bytes() or b"xxx" not in shown.read_bytes():
            assert time.monotonic() < end, shown.read_bytes()
            assert process.poll() is None, "it ended"
            time.sleep(0.02)
    finally:
        process.kill()
        process.wait()


def test_nothing_to_hide() -> None:
    """Without codes in the arguments, lpactl leaves its list of arguments unchanged."""
    before = Path("/proc/self/cmdline").read_bytes()
    hide(None, "")
    hide("no-such-argument")
    assert Path("/proc/self/cmdline").read_bytes() == before
