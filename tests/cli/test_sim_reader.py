"""The simulated eUICC behind real pcscd, started from the command line."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from card.link_contract import soon
from card.private_pcscd import FIRST, PrivatePcscd, wait_for_cards
from lpad.card.isdr.isdr import isdr_session
from lpad.card.pcsc.pcsc_link import open_pcsc_link
from lpad.cli.simulated.sim_command_group import sim
from lpad.lpa.euicc import Euicc

if TYPE_CHECKING:
    from pathlib import Path

EID = "89049032000000000000000000000011"


def test_a_card_in_a_virtual_reader(tmp_path: Path) -> None:
    """`lpad sim euicc --vpcd` puts a card into the virtual reader; Ctrl-C takes it out."""
    program = "import sys; from lpad.cli.simulated.sim_command_group import sim; sim()"
    with PrivatePcscd() as pcscd:
        reader = f"localhost:{pcscd.port}"
        command = [sys.executable, "-c", program, "euicc", str(tmp_path / "card"), "--vpcd", reader]
        with subprocess.Popen([*command, "--eid", EID], stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                assert process.stdout.readline() == f"virtual reader at {reader}\n"
                wait_for_cards(present={FIRST})
                with (
                    closing(open_pcsc_link(FIRST, deadline=soon())) as link,
                    isdr_session(link, deadline=soon()) as isdr,
                ):
                    assert str(Euicc(isdr).get_eid(deadline=soon())) == EID
            finally:
                process.send_signal(signal.SIGINT)
            assert process.wait(30) == 0
        wait_for_cards(present=set())


@pytest.mark.parametrize("other", [["--pty", "modem"], ["--baud", "9600"], ["--modem", "{}"]])
def test_a_reader_is_no_modem(tmp_path: Path, other: list[str]) -> None:
    """Options for a modem do not apply to a reader, so they are refused with --vpcd."""
    result = CliRunner().invoke(sim, ["euicc", str(tmp_path), "--vpcd", "localhost", *other])
    assert result.exit_code == 2
    assert re.search("only for a modem", result.output)
