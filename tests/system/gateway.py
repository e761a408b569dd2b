"""A gateway in a container: lpad's package, a simulated modem with a card, an SM-DP+, and users."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING, Any

from system.container import Container

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

CARD = "modem"
SIM = "/srv/sim"
LPAD_SIM = f"{SIM}/environment/bin/python3 -I -m lpad.cli.lpad sim"
"""The command of the simulators, in an environment with the libraries that the package lacks."""
SERVER = "localhost:8443"
BAUD = 115_200

USERS = {
    "root": (),
    "ada": ("lpad",),
    "rita": ("lpad-read",),
    "sam": (),
    "ines": ("installers",),
    "mallory": (),
}
"""The users and their groups. The settings define the roles of sam and ines."""

_CARD_UNIT = f"""\
[Service]
ExecStart={LPAD_SIM} euicc {SIM}/card --pty {SIM}/modem --pki {SIM}/pki --baud %BAUD%
# as udev does for a serial port
ExecStartPost=/bin/sh -c 'until [ -e {SIM}/modem ]; do sleep 0.1; done; \\
    port=$(readlink -f {SIM}/modem); chgrp dialout $port; chmod 660 $port'
"""
_SERVER_UNIT = f"""\
[Service]
ExecStart={LPAD_SIM} smdp {SIM}/smdp --port 8443 --pki {SIM}/pki
ExecStartPost=/bin/sh -c 'until curl --silent --insecure --output /dev/null https://{SERVER}; do \\
    sleep 0.1; done'
"""


class Gateway(Container):
    """A container in which a test can install lpad's package and use it."""

    def install(self, package: Path) -> str:
        """Install a package file with dpkg, and return dpkg's output."""
        shutil.copy(package, self.root / "root")
        return self.run("dpkg", "--install", f"/root/{package.name}")

    def set_up(self, *, baud: int = BAUD, **settings: Any) -> None:
        """Start modem and server, create the users, write lpad's settings, and wait for the card.

        Args:
            baud: the baud rate of the modem's port; with a low one, a test can interrupt a download.
            settings: sections that replace those of the usual settings.
        """
        self.run("groupadd", "installers")
        for user, groups in USERS.items():
            if user != "root":
                self.run("useradd", "--create-home", "--groups", ",".join(groups), user)
        self.set_up_simulators(baud=baud)
        self.write_settings(**settings)
        self.run("systemctl", "restart", "lpad.service")
        self.ready()

    def set_up_simulators(self, *, baud: int = BAUD) -> None:
        """Start the simulated modem and server, and put the server's CA into lpad's trust folder."""
        self.write("/etc/systemd/system/sim-card.service", _CARD_UNIT.replace("%BAUD%", str(baud)))
        self.write("/etc/systemd/system/sim-server.service", _SERVER_UNIT)
        environment = self.root / SIM.lstrip("/") / "environment"
        shutil.copytree(os.environ["LPAD_SYSTEM_SIM"], environment, symlinks=True)
        self.run("systemctl", "daemon-reload")
        self.run("systemctl", "start", "sim-card.service", "sim-server.service")
        # lpad trusts the CA certificates in this folder of the package.
        for certificate in (self.root / SIM.lstrip("/") / "pki" / "ci").glob("*.der"):
            shutil.copy(certificate, self.root / "etc/lpad/trust.d")

    def write_settings(self, **settings: Any) -> None:
        """Write lpad's settings file; the given sections replace the usual ones."""
        content = {
            "euiccs": {CARD: {"port": f"{SIM}/modem"}},
            "remote": {"hosts": {SERVER: "127.0.0.1"}},
            "access": {
                "switch": {"users": ["sam"], "groups": ["lpad"]},
                "install": {"groups": ["installers", "lpad"]},
            },
        } | settings
        self.write("/etc/lpad/lpad.yaml", json.dumps(content))  # JSON is YAML

    def order(self) -> str:
        """Have the server prepare a profile, and return the activation code."""
        return self.run(*LPAD_SIM.split(), "order", f"{SIM}/smdp").strip()

    def lpactl(self, *arguments: str, user: str = "ada", code: int = 0) -> Any:
        """Run lpactl as a user; return its decoded JSON, or with an expected failure its text."""
        said = self.run("lpactl", "--json", *arguments, user=user, code=code)
        return json.loads(said) if code == 0 and said.strip() else said

    def curl(self, path: str, *arguments: str, user: str) -> tuple[int, Any]:
        """Send a request to the API with curl, and return the HTTP status and the decoded body.

        Args:
            path: such as "/v1/euiccs".
            arguments: further arguments of curl.
            user: the user that runs curl.
        """
        said = self.run(
            *("curl", "--silent", "--show-error", "--max-time", "60", "--unix-socket", "/run/lpad/lpad.sock"),
            *("--write-out", "\n%{http_code}", *arguments, f"http://lpad{path}"),
            user=user,
        )
        body, _, status = said.rpartition("\n")
        return int(status), json.loads(body)

    def ready(self) -> None:
        """Wait until lpad has read the card."""
        self.until(lambda: self.card()["state"] == "ready", "the card")

    def card(self) -> dict[str, Any]:
        """Return lpad's view of the card."""
        status, found = self.curl(f"/v1/euiccs/{CARD}", user="root")
        assert status == 200, found
        return dict(found)

    def profiles(self) -> dict[str, str]:
        """Return the states of the card's profiles by ICCID."""
        found = self.curl(f"/v1/euiccs/{CARD}/profiles", user="root")[1]["profiles"]
        return {each["iccid"]: each["state"] for each in found}

    def show(self, unit: str, *properties: str) -> dict[str, str]:
        """Return properties of a unit."""
        said = self.run("systemctl", "show", unit, *(f"--property={each}" for each in properties))
        return dict(line.split("=", 1) for line in said.splitlines())

    def pid(self) -> int:
        """Return the daemon's process number, or 0 if it does not run."""
        return int(self.show("lpad.service", "MainPID")["MainPID"])

    def active(self, unit: str = "lpad.service") -> str:
        """Return a unit's state, such as "active"."""
        return self.show(unit, "ActiveState")["ActiveState"]

    def drop_in(self, text: str, *, unit: str = "lpad.service") -> None:
        """Replace the drop-in of a unit, as `systemctl edit` does; "" removes the drop-in."""
        folder = f"/etc/systemd/system/{unit}.d"
        self.run("rm", "-rf", folder)
        if text:
            self.write(f"{folder}/test.conf", text)
        self.run("systemctl", "daemon-reload")

    def client_waits(self, user: str = "rita") -> subprocess.Popen[str]:
        """Start a program that requests lpad's state and waits for the answer."""
        return self.popen(
            *("curl", "--silent", "--show-error", "--max-time", "60", "--unix-socket", "/run/lpad/lpad.sock"),
            "http://lpad/v1/system",
            user=user,
        )
