"""The commands in docs/network.md for NetworkManager and ModemManager, run literally."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from debian_daemons.rig import soon
from debian_daemons.test_networkmanager import FOREIGN, TO_A, A, autoconnects, nmcli
from lpad.network.networkmanager.applier import NetworkManagerApplier

if TYPE_CHECKING:
    from collections.abc import Callable

    from debian_daemons.rig import Rig

pytestmark = pytest.mark.programs("NetworkManager", "ModemManager", "/usr/lib/polkit-1/polkitd", "unshare")

DOCUMENT = Path(__file__).parents[2] / "docs" / "network.md"


def commands(program: str) -> list[list[str]]:
    """Return the commands of a program in docs/network.md."""
    found = re.findall(rf"^ {{4,}}({program} .*)$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    assert found, f"docs/network.md has no {program} any more"
    return [line.split() for line in found]


def test_network_managers_recipes(rig_of: Callable[..., Rig]) -> None:
    """After the recipe, lpad reports no rival connection, and the owner's route metric is unchanged."""
    rig = rig_of(A)
    rig.keyfile(
        "any-sim",
        connection={"id": "any-sim", "type": "gsm", "uuid": FOREIGN},
        gsm={"apn": "foreign.example"},
    )
    rig.modem_path()
    rig.start_network_manager()
    applier = NetworkManagerApplier()
    assert "'any-sim'" in applier.apply(TO_A, deadline=soon()).told
    for command in commands("nmcli"):
        subprocess.run(command, check=True, capture_output=True)
    assert "any-sim" not in applier.apply(TO_A, deadline=soon()).told
    assert autoconnects(rig)["any-sim"] == "no"
    metric = ("--get-values", "ipv4.route-metric", "connection", "show", "lpad-0001")
    assert nmcli(rig, *metric).strip() == "300"


def test_modem_managers_recipes(rig_of: Callable[..., Rig]) -> None:
    """The recipe's commands find the modem, whatever number ModemManager has given to the modem."""
    rig = rig_of(A)
    rig.modem_path()
    rig.switch(A)
    rig.modem_path()
    for command in commands("mmcli"):
        shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        assert "/Modem/1" in shown
