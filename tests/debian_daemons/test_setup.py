"""lpad setup while Debian's ModemManager runs and has the same modem."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cli.setup.test_setup_command import setup, written
from journeys.gateway import Gateway

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from debian_daemons.rig import Rig

pytestmark = pytest.mark.programs("ModemManager", "/usr/lib/polkit-1/polkitd")


def test_modem_manager_runs(rig_of: Callable[..., Rig], tmp_path: Path) -> None:
    """The card is found next to it, and the note says what lpad will do with the modem."""
    gateway = Gateway()
    port = gateway.folder / "port"
    rig = rig_of("", modem=gateway.modem)
    rig.settle()  # the simulated card answers one of two programs at a time
    try:
        done = setup(tmp_path, "--port", str(port), "--yes").ok()
    finally:
        gateway.modem.close()
    assert f"  EID       {gateway.eid}" in done.out
    assert written(tmp_path) == {"modem": str(port)}
    assert "note: ModemManager runs: lpad borrows the modem from it" in done.err
    assert "docs/install.md, 'The modem'" in done.err
