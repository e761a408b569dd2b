"""`lpad probe` at the port of a modem with two SIM slots."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from lpad.cli.offline_probe import probe
from lpad.simulator.euicc.card import SoftCard
from lpad.simulator.mbim.behaviour import MbimBehaviour
from lpad.simulator.mbim.control_port import MbimModem
from lpad.simulator.qmi.behaviour import QmiBehaviour
from lpad.simulator.qmi.control_port import QmiModem

if TYPE_CHECKING:
    from pathlib import Path

    from lpad.simulator.pki.pki import Pki


@pytest.mark.parametrize("kind", ["mbim", "qmi"])
def test_the_slots_of_the_modem_are_shown(kind: str, tmp_path: Path, pki: Pki) -> None:
    """A line names the slot that the modem uses and the one that has the card."""
    path = tmp_path / f"wwan0{kind}0"
    with SoftCard(tmp_path / "card", pki=pki) as card:
        modem: MbimModem | QmiModem
        if kind == "mbim":
            modem = MbimModem(card, path=path, behaviour=MbimBehaviour(slots=2, card_slot=1))
        else:
            modem = QmiModem(card, path=path, behaviour=QmiBehaviour(slots=2, card_slot=2))
        with modem:
            shown = CliRunner().invoke(probe, ["--port", modem.path])
    lines = [" ".join(line.split()) for line in shown.output.splitlines()]
    assert "SIM slots slot 1 (active) is empty, slot 2 has a card" in lines
