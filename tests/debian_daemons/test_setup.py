"""lpad setup while Debian's ModemManager runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cli.setup.test_setup_command import setup, written
from debian_daemons.rig import MODEM, MODEM_MANAGER, soon, until
from engine.lab import FIRST
from lpad.simulator.euicc.card import SoftCard
from lpad.simulator.modem.pty_modem import PtyModem

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from debian_daemons.rig import Rig
    from lpad.simulator.pki.pki import Pki

pytestmark = pytest.mark.programs("ModemManager", "/usr/lib/polkit-1/polkitd")


def modems(rig: Rig) -> int:
    """Return how many modems ModemManager has."""
    shown = rig.bus.objects(MODEM_MANAGER, "/org/freedesktop/ModemManager1", deadline=soon())
    return sum(MODEM in each for each in shown.values())


def test_modem_manager_runs(rig_of: Callable[..., Rig], tmp_path: Path, pki: Pki) -> None:
    """The card is found, and a note explains how lpad treats a modem that ModemManager has."""
    port = tmp_path / "modem"
    rig_of(FIRST)
    with SoftCard(tmp_path / "card", pki=pki) as card, PtyModem(card, path=port):
        done = setup(tmp_path, "--port", str(port), "--yes").ok()
    assert f"  EID       {card.eid}" in done.out
    assert written(tmp_path) == {"modem": str(port)}
    assert "note: ModemManager runs: lpad borrows the modem from it" in done.err
    assert "docs/install.md, 'The modem'" in done.err


def test_modem_manager_uses_the_modem(rig_of: Callable[..., Rig], tmp_path: Path, pki: Pki) -> None:
    """A modem that ModemManager uses is found on its other port, with a note on ModemManager."""
    port = tmp_path / "modem"
    with SoftCard(tmp_path / "card", pki=pki) as card, PtyModem(card, path=port) as modem:
        rig = rig_of("", modem=modem)
        until(lambda: modems(rig) == 1, "ModemManager to show the modem")
        done = setup(tmp_path, "--port", str(port), "--yes").ok()
    assert f"  EID       {card.eid}" in done.out
    assert written(tmp_path) == {"modem": str(port)}
    assert "note: ModemManager runs: lpad borrows the modem from it" in done.err
