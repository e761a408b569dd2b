"""The files for systemd and polkit, checked without an installation."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from lpad.card.port.port_opener_messages import SOCKET as OPENER
from lpad.cli.terminal import exit_codes
from lpad.client import DEFAULT_SOCKET
from lpad.mqtt.main import EXIT_SETTINGS
from lpad.mqtt.mqtt_settings import DEFAULT_FILE, MqttSettings
from lpad.network.hook_runner_client import SOCKET
from lpad.settings import Settings

ROOT = Path(__file__).parents[1]
UNITS = ROOT / "systemd"
MOST_EXPOSED = 1.5


def run(*command: str) -> str:
    """Run a program that must succeed, and return its output and standard error."""
    found = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "TERM": "dumb"}
    )
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout + found.stderr


def directives(unit: str, section: str) -> dict[str, list[str]]:
    """Return the values of a unit's section by key; a key may be repeated."""
    found: dict[str, list[str]] = {}
    inside = ""
    for line in (UNITS / unit).read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            inside = line.strip("[]")
        elif inside == section and not line.startswith("#") and "=" in line:
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


def test_the_service_exposes_little() -> None:
    """`systemd-analyze security` rates the daemon's unit at most 1.5."""
    said = run("systemd-analyze", "security", "--offline=true", "--no-pager", str(UNITS / "lpad.service"))
    exposure = re.search(r"exposure level for lpad.service: ([0-9.]+)", said)
    assert exposure is not None, said
    assert float(exposure[1]) <= MOST_EXPOSED


def test_systemd_knows_every_word(tmp_path: Path) -> None:
    """`systemd-analyze verify` reports nothing about lpad's units."""
    here = tmp_path / "etc" / "systemd" / "system"
    shutil.copytree(UNITS, here)
    for unit in here.glob("lpad*.*"):
        # The programs of the package are not installed here.
        unit.write_text(
            re.sub(r"=/usr/bin/(lpad-mqtt|lpad|setfacl)", "=/bin/true", unit.read_text(encoding="utf-8")),
            "utf-8",
        )
    said = run("systemd-analyze", "verify", "--man=no", *map(str, sorted(here.glob("lpad*.*"))))
    assert [line for line in said.splitlines() if "lpad" in line] == []


def test_the_units_agree_with_the_daemon() -> None:
    """The units have the socket, the state folder and the exit status of lpad's defaults."""
    service, socket = directives("lpad.service", "Service"), directives("lpad.socket", "Socket")
    assert socket["ListenStream"] == [DEFAULT_SOCKET] == [Settings().socket]
    assert [f"/var/lib/{name}" for name in service["StateDirectory"]] == [Settings().state_folder]
    assert service["RestartPreventExitStatus"] == [str(exit_codes.USAGE)]


def test_the_bridge_exposes_little() -> None:
    """`systemd-analyze security` rates lpad-mqtt at most 1.5, and its unit has lpad-mqtt's defaults."""
    said = run(
        "systemd-analyze", "security", "--offline=true", "--no-pager", str(UNITS / "lpad-mqtt.service")
    )
    exposure = re.search(r"exposure level for lpad-mqtt.service: ([0-9.]+)", said)
    assert exposure is not None, said
    assert float(exposure[1]) <= MOST_EXPOSED
    service = directives("lpad-mqtt.service", "Service")
    assert service["RestartPreventExitStatus"] == [str(EXIT_SETTINGS)]
    assert service["ExecStart"] == [f"/usr/bin/lpad-mqtt --config {DEFAULT_FILE}"]
    folder = MqttSettings(broker="mqtt://localhost").state_folder
    assert [f"/var/lib/{name}" for name in service["StateDirectory"]] == [folder]


def test_the_socket_is_closed_to_others() -> None:
    """Before lpad has read its settings, only root and the groups lpad and lpad-read may connect."""
    socket = directives("lpad.socket", "Socket")
    assert socket["SocketMode"] == ["0660"]
    assert socket["SocketGroup"] == ["lpad"]
    assert socket["ExecStartPost"] == [f"/usr/bin/setfacl --modify=group:lpad-read:rw {DEFAULT_SOCKET}"]


def test_the_runner_obeys_lpad_alone() -> None:
    """Only the user lpad may connect to the runner's socket, not the group lpad."""
    socket = directives("lpad-hooks.socket", "Socket")
    assert socket["ListenStream"] == [SOCKET]
    assert (socket["SocketUser"], socket["SocketMode"]) == (["lpad"], ["0600"])


def test_the_port_opener_exposes_little() -> None:
    """The port opener has no capabilities, may use only control ports, and serves only the user lpad."""
    said = run(
        "systemd-analyze", "security", "--offline=true", "--no-pager", str(UNITS / "lpad-ports.service")
    )
    exposure = re.search(r"exposure level for lpad-ports.service: ([0-9.]+)", said)
    assert exposure is not None, said
    assert float(exposure[1]) <= MOST_EXPOSED
    service, socket = directives("lpad-ports.service", "Service"), directives("lpad-ports.socket", "Socket")
    assert service["CapabilityBoundingSet"] == [""]
    assert service["DeviceAllow"] == ["char-usb rw", "char-wwan_port rw"]
    assert socket["ListenSequentialPacket"] == [OPENER]
    assert (socket["SocketUser"], socket["SocketMode"]) == (["lpad"], ["0600"])


def test_the_user_can_be_made() -> None:
    """systemd-sysusers accepts the file, and would create the user lpad."""
    said = run("systemd-sysusers", "--dry-run", str(UNITS / "sysusers.d" / "lpad.conf"))
    assert "lpad" in said or "lpad" in Path("/etc/passwd").read_text(encoding="utf-8")


def test_the_folder_can_be_made(tmp_path: Path) -> None:
    """systemd-tmpfiles accepts the file, and creates the socket's folder."""
    run("systemd-tmpfiles", "--create", f"--root={tmp_path}", str(UNITS / "tmpfiles.d" / "lpad.conf"))
    assert (tmp_path / "run" / "lpad").is_dir()


POLKIT = """
const rules = [];
const polkit = {addRule: (rule) => rules.push(rule), Result: {YES: "yes"}};
require("vm").runInNewContext(require("fs").readFileSync(process.argv[1], "utf8"), {polkit});
const ask = (id, user) => rules.map((rule) => rule({id}, {user})).find((answer) => answer) ?? null;
console.log(JSON.stringify(JSON.parse(process.argv[2]).map(([id, user]) => ask(id, user))));
"""


@pytest.mark.parametrize(
    "action",
    [
        "org.freedesktop.ModemManager1.Control",
        "org.freedesktop.ModemManager1.Device.Control",
        "org.freedesktop.NetworkManager.settings.modify.system",
        "org.freedesktop.NetworkManager.network-control",
        "org.debian.pcsc-lite.access_pcsc",
        "org.debian.pcsc-lite.access_card",
    ],
)
def test_polkit_allows_only_lpad(action: str) -> None:
    """The rule for polkit allows the user lpad each needed action, and decides nothing for other users."""
    asked = [[action, "lpad"], [action, "alice"], ["org.freedesktop.login1.reboot", "lpad"]]
    rules = ROOT / "config" / "polkit" / "50-lpad.rules"
    assert json.loads(run("node", "-e", POLKIT, str(rules), json.dumps(asked))) == ["yes", None, None]
