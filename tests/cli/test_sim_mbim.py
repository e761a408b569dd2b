"""`lpad sim euicc --mbim`: the simulated card behind an MBIM port, started from the command line."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from lpad.cli.simulated.sim_command_group import sim
from lpad.codec.mbim.framing import encode
from lpad.codec.mbim.messages import Open, OpenDone
from lpad.codec.mbim.reassembly import Receiver

if TYPE_CHECKING:
    from pathlib import Path


def test_a_modem_with_an_mbim_port(tmp_path: Path) -> None:
    """On a Unix socket the simulated modem answers Open; Ctrl-C ends it."""
    program = "import sys; from lpad.cli.simulated.sim_command_group import sim; sim()"
    path = tmp_path / "mbim"
    command = [sys.executable, "-c", program, "euicc", str(tmp_path / "card"), "--mbim", f"unix:{path}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == f"MBIM port {path}\n"
            with socket.socket(socket.AF_UNIX) as host:
                host.settimeout(30)
                host.connect(str(path))
                host.sendall(encode(Open(transaction=1, max_transfer=4096))[0])
                assert Receiver().receive(host.recv(64)) == [OpenDone(transaction=1, status=0)]
        finally:
            process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    assert not path.exists()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--mbim", "x", "--pty", "y"], "for an AT port"),
        (["--mbim-behaviour", "{}"], "needs --mbim"),
        (["--mbim", "x", "--mbim-behaviour", '{"slots": "two"}'], "slots"),
    ],
)
def test_options_that_contradict_each_other(tmp_path: Path, options: list[str], says: str) -> None:
    """--pty is refused with --mbim, and --mbim-behaviour without --mbim or with a wrong value."""
    result = CliRunner().invoke(sim, ["euicc", str(tmp_path / "card"), *options])
    assert result.exit_code != 0
    assert re.search(says, result.output + str(result.exception))
