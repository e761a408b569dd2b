"""`lpad sim euicc --qmi`: the simulated card behind a QMI port, started from the command line."""

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
from lpad.codec.qmi import control
from lpad.codec.qmi.framing import Kind, Message, encode
from lpad.codec.qmi.message_parameters import decode
from lpad.codec.qmi.message_stream_splitting import Receiver
from lpad.codec.qmi.services import Service

if TYPE_CHECKING:
    from pathlib import Path


def test_a_modem_with_a_qmi_port(tmp_path: Path) -> None:
    """On a Unix socket the simulated modem names its services; Ctrl-C ends it."""
    program = "import sys; from lpad.cli.simulated.sim_command_group import sim; sim()"
    path = tmp_path / "qmi"
    command = [sys.executable, "-c", program, "euicc", str(tmp_path / "card"), "--qmi", f"unix:{path}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == f"QMI port {path}\n"
            request = Message(
                kind=Kind.REQUEST,
                service=Service.CTL,
                client=0,
                transaction=1,
                number=control.GetVersionInfo.MESSAGE,
            )
            with socket.socket(socket.AF_UNIX) as host:
                host.settimeout(30)
                host.connect(str(path))
                host.sendall(encode(request))
                (answer,) = Receiver().receive(host.recv(256))
            services = decode(control.VersionInfo, answer.parameters).services
            assert {each.service for each in services} == set(Service)
        finally:
            process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    assert not path.exists()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--qmi", "x", "--pty", "y"], "for an AT port"),
        (["--qmi", "x", "--mbim", "y"], "either --mbim or --qmi"),
        (["--qmi-behaviour", "{}"], "needs --qmi"),
        (["--qmi", "x", "--qmi-behaviour", '{"slots": "two"}'], "slots"),
        (["--qmi", "x", "--vpcd", "localhost:35963"], "only for a modem"),
    ],
)
def test_options_that_contradict_each_other(tmp_path: Path, options: list[str], says: str) -> None:
    """With --qmi, other ports' options are refused, as is --qmi-behaviour without --qmi or a valid value."""
    result = CliRunner().invoke(sim, ["euicc", str(tmp_path / "card"), *options])
    assert result.exit_code != 0
    assert re.search(says, result.output + str(result.exception))
