"""The confined daemon with an MBIM port of root, and with mbim-proxy, which serves only root."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from system.gateway import LPAD_SIM, SIM

if TYPE_CHECKING:
    from collections.abc import Iterator

    from system.gateway import Gateway

PORT = "/dev/cdc-wdm0"
NAME = "mbim"
OPENER = "lpad-ports.service"
_MODEM = f"""\
[Service]
ExecStart={LPAD_SIM} euicc {SIM}/mbim-card --mbim {SIM}/mbim --pki {SIM}/pki
# The pty gets root as its owner and the mode 600, like a port of the driver cdc_mbim.
ExecStartPost=/bin/sh -c 'until [ -e {SIM}/mbim ]; do sleep 0.1; done; touch {PORT}; \\
    mount --bind $(readlink -f {SIM}/mbim) {PORT}; chown root:root {PORT}; chmod 600 {PORT}'
"""


@pytest.fixture(scope="module")
def mbim(gateway: Gateway) -> Iterator[Gateway]:
    """A gateway whose card is behind an MBIM port."""
    gateway.write("/etc/systemd/system/sim-mbim.service", _MODEM)
    gateway.run("systemctl", "daemon-reload")
    gateway.run("systemctl", "start", "sim-mbim.service")
    gateway.write_settings(euiccs={NAME: {"port": PORT}})
    gateway.run("systemctl", "restart", "lpad.service")
    yield gateway
    gateway.write_settings()
    gateway.run("systemctl", "restart", "lpad.service")


def state(gateway: Gateway) -> str:
    """Return the state of the card behind the MBIM port."""
    return str(gateway.curl(f"/v1/euiccs/{NAME}", user="rita")[1]["state"])


def ready(gateway: Gateway) -> None:
    gateway.until(lambda: state(gateway) == "ready", "the card behind the MBIM port")


def test_the_opener_waits_for_requests(mbim: Gateway) -> None:
    """After the installation, the port opener's socket is enabled and active, and its service is static."""
    assert mbim.run("systemctl", "is-enabled", "lpad-ports.socket").strip() == "enabled"
    assert mbim.active("lpad-ports.socket") == "active"
    assert mbim.run("systemctl", "is-enabled", OPENER, check=False).strip() == "static"


def test_a_port_of_root_is_used(mbim: Gateway) -> None:
    """Lpad, as its own user, downloads and enables a profile over a port that only root can open."""
    assert "Permission denied" in mbim.run("sh", "-c", f": <{PORT}", user="lpad", code=2)
    ready(mbim)
    iccid = mbim.lpactl("download", mbim.order())["result"]["iccid"]
    mbim.lpactl("enable", iccid)
    listed = mbim.curl(f"/v1/euiccs/{NAME}/profiles", user="root")[1]["profiles"]
    assert {each["iccid"]: each["state"] for each in listed}[iccid] == "enabled"
    assert mbim.active(OPENER) == "active"
    uid = mbim.run("ps", "-o", "user=", "-p", str(mbim.pid())).strip()
    assert uid == "lpad"


def test_the_proxy_is_shared(mbim: Gateway) -> None:
    """While mbim-proxy runs, lpad and mbimcli use the modem in turn without an error."""
    mbim.run("systemctl", "stop", "lpad.service")
    proxy = ("/usr/libexec/mbim-proxy", "--no-exit", "--verbose")
    mbim.run("systemd-run", "--unit=mbim-proxy", "--collect", *proxy)
    mbim.until(lambda: "@mbim-proxy" in mbim.run("cat", "/proc/net/unix"), "mbim-proxy")
    try:
        mbim.run("systemctl", "start", "lpad.service")
        ready(mbim)
        for _ in range(5):
            assert "490154203237518" in mbim.run("mbimcli", "-d", PORT, "-p", "--query-device-caps")
            mbim.lpactl("info", "--refresh")
        mbim.run("journalctl", "--sync")
        assert "client" in mbim.journal("--unit=mbim-proxy")
    finally:
        mbim.run("systemctl", "stop", "mbim-proxy.service")


@pytest.mark.parametrize("user", ["ada", "mallory"])
def test_only_lpad_can_use_the_opener(mbim: Gateway, user: str) -> None:
    """Users other than lpad, even a member of the group lpad, cannot connect to the opener's socket."""
    asks = (
        "import socket; socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)"
        ".connect('/run/lpad-ports/opener.sock')"
    )
    assert "PermissionError" in mbim.run("python3", "-c", asks, user=user, code=1)


def test_the_opener_opens_no_other_files(mbim: Gateway) -> None:
    """The opener refuses to open files other than control ports for the user lpad."""
    asks = (
        "from lpad.card.port.port_opener_client import PortOpenerClient\n"
        "for wanted in ('/dev/kmsg', '/etc/shadow', '/dev/cdc-wdm0/../kmsg', '/dev/cdc-wdm1'):\n"
        "    try:\n"
        "        print(PortOpenerClient().open(wanted))\n"
        "    except Exception as error:\n"
        "        print(type(error).__name__)\n"
    )
    said = mbim.run("/usr/lib/lpad/bin/python3", "-c", asks, user="lpad")
    assert said.split() == ["CardUnreachable"] * 3 + ["FileNotFoundError"]


def test_without_the_opener_the_error_names_it(mbim: Gateway) -> None:
    """Without the opener, the card's error names the command that starts it; then the card gets ready."""
    mbim.run("systemctl", "stop", "lpad.service", "lpad-ports.socket", OPENER)
    mbim.run("systemctl", "start", "lpad.service")
    mbim.until(lambda: state(mbim) == "absent", "the refusal")
    error = mbim.curl(f"/v1/euiccs/{NAME}", user="rita")[1]["error"]
    assert error["kind"] == "card-unreachable"
    assert "systemctl enable --now lpad-ports.socket" in str(error)
    mbim.run("systemctl", "enable", "--now", "lpad-ports.socket")
    ready(mbim)
