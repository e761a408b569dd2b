"""The confined daemon's access to NetworkManager and ModemManager, which polkit's rule allows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from system.gateway import Gateway

PROGRAM = Path(__file__).with_name("network_in_its_place.py")
CONNECTION = "lpad-0001"


def put(gateway: Gateway) -> str:
    """Copy network_in_its_place.py into the container, and return the command that starts it."""
    gateway.write("/srv/network_in_its_place.py", PROGRAM.read_text(encoding="utf-8"))
    return "/usr/lib/lpad/bin/python3 /srv/network_in_its_place.py"


def test_the_daemon_may_apply_network_settings(gateway: Gateway) -> None:
    """With the daemon's permissions, network settings can be stored in NetworkManager."""
    command = put(gateway)
    # By default, Debian's ModemManager does not start in a container.
    gateway.drop_in("[Unit]\nConditionVirtualization=\n", unit="ModemManager.service")
    gateway.run("systemctl", "start", "NetworkManager.service", "ModemManager.service")
    gateway.drop_in(f"[Service]\nExecStartPre=/bin/sh -c '{command} >/var/lib/lpad/found'\n")
    gateway.run("systemctl", "restart", "lpad.service")
    gateway.drop_in("")
    found: dict[str, Any] = json.loads((gateway.root / "var/lib/lpad/found").read_text(encoding="utf-8"))
    assert {name: kind for name, (kind, _) in found.items()} == {
        "prepare": "Applied",
        "apply": "Applied",
        "undo": "Applied",
        "connect": "TryAgain",  # the container has no modem
        "modemmanager": "Applied",
    }, found
    assert CONNECTION in gateway.run("nmcli", "--terse", "--get-values", "NAME", "connection")
    stored = f"/etc/NetworkManager/system-connections/{CONNECTION}.nmconnection"
    assert gateway.run("stat", "--format=%a %U", stored).split() == ["600", "root"]


def test_other_users_may_not_apply_network_settings(gateway: Gateway) -> None:
    """Another user cannot store network settings, and the error names the polkit action."""
    found = json.loads(gateway.run(*put(gateway).split(), user="mallory"))
    assert found["apply"][0] == "Failed"
    assert "org.freedesktop.NetworkManager.settings.modify.system" in found["apply"][1]
