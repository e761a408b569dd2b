"""`lpad sim euicc --without-service` simulates profiles that never register."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from cli.conftest import PATIENCE, run
from engine.lab import FIRST, Lab
from lpad.base.deadline import Deadline
from lpad.card.at.at_modem import AtModem
from lpad.card.modem.at_port import AtPort
from lpad.card.port.serial_line import SerialLine
from lpad.engine.change.change import Kind

if TYPE_CHECKING:
    from pathlib import Path

    from lpad.simulator.pki.pki import Pki

SIM = [sys.executable, "-m", "lpad.cli.lpad", "sim", "euicc"]


@pytest.mark.parametrize(("options", "status"), [([], 1), (["--without-service", FIRST], 2)])
def test_a_profile_without_service(tmp_path: Path, pki: Pki, options: list[str], status: int) -> None:
    """With a profile of --without-service, the modem is searching; otherwise it is registered at home."""
    with Lab(tmp_path, pki) as lab:
        lab.install()
        assert lab.carry_out(Kind.ENABLE, iccid=FIRST).error is None
    pty = tmp_path / "sim"
    command = [*SIM, str(tmp_path / "card"), "--pty", str(pty), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == f"AT port {pty}\n"
            modem = AtModem(AtPort(SerialLine(str(pty))))
            assert {each.status for each in modem.registrations(deadline=Deadline.after(PATIENCE))} == {
                status
            }
            modem.close()
        finally:
            process.terminate()
            process.wait(PATIENCE)


def test_an_invalid_iccid_is_refused(tmp_path: Path) -> None:
    """An invalid ICCID is refused before the simulator starts."""
    assert run([*SIM, str(tmp_path / "card"), "--without-service", "1X"]).code == 2
