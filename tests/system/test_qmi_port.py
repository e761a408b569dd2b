"""The confined daemon opens data sessions over a QMI port of root, and shares it by qmi-proxy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from system.gateway import LPAD_SIM, SIM

if TYPE_CHECKING:
    from collections.abc import Iterator

    from system.gateway import Gateway

PORT = "/dev/cdc-wdm0"
NAME = "qmi"
UNIT = "sim-qmi.service"
_MODEM = f"""\
[Service]
ExecStart={LPAD_SIM} euicc {SIM}/qmi-card --qmi {SIM}/qmi --pki {SIM}/pki
# The pty gets root as its owner and the mode 600, like a port of the driver qmi_wwan.
ExecStartPost=/bin/sh -c 'until [ -e {SIM}/qmi ]; do sleep 0.1; done; touch {PORT}; \\
    mount --bind $(readlink -f {SIM}/qmi) {PORT}; chown root:root {PORT}; chmod 600 {PORT}'
ExecStopPost=-/bin/umount {PORT}
"""


@pytest.fixture(scope="module")
def qmi(gateway: Gateway) -> Iterator[Gateway]:
    """A gateway whose card is behind a QMI port; lpad opens the data connection."""
    gateway.run("sh", "-c", f"systemctl stop sim-mbim.service; umount {PORT}; true")
    gateway.write(f"/etc/systemd/system/{UNIT}", _MODEM)
    gateway.run("systemctl", "daemon-reload")
    gateway.run("systemctl", "start", UNIT)
    gateway.write_settings(euiccs={NAME: {"port": PORT}}, network={"applier": "at"})
    gateway.run("systemctl", "restart", "lpad.service")
    yield gateway
    gateway.write_settings()
    gateway.run("systemctl", "restart", "lpad.service")
    gateway.run("systemctl", "stop", UNIT)


def ready(gateway: Gateway) -> None:
    def is_ready() -> bool:
        return str(gateway.curl(f"/v1/euiccs/{NAME}", user="rita")[1]["state"]) == "ready"

    gateway.until(is_ready, "the card behind the QMI port")


def test_a_data_session_over_a_port_of_root_outlives_the_daemon(qmi: Gateway) -> None:
    """Lpad opens the data sessions of an enabled profile, and still has their handles after a restart."""
    assert "Permission denied" in qmi.run("sh", "-c", f": <{PORT}", user="lpad", code=2)
    ready(qmi)
    iccid = qmi.lpactl("download", qmi.order())["result"]["iccid"]
    done = qmi.lpactl("enable", iccid, "--guard", "address", "--within", "60")["result"]["network"]
    assert (done["bearer"], done["address"]) == ("up", "up")
    qmi.run("systemctl", "restart", "lpad.service")
    ready(qmi)
    noted = qmi.run("sh", "-c", "cat /var/lib/lpad/links/*.clients")
    assert noted.count('"handle"') == 2, "not one session each for IPv4 and IPv6 is stored"


def test_the_proxy_is_shared(qmi: Gateway) -> None:
    """While qmi-proxy runs, qmicli sees the data session as connected, and lpad reads the card."""
    qmi.run("systemctl", "stop", "lpad.service")
    qmi.run(
        "systemd-run", "--unit=qmi-proxy", "--collect", "/usr/libexec/qmi-proxy", "--no-exit", "--verbose"
    )
    qmi.until(lambda: "@qmi-proxy" in qmi.run("cat", "/proc/net/unix"), "qmi-proxy")
    try:
        qmi.run("systemctl", "start", "lpad.service")
        ready(qmi)
        for _ in range(5):
            told = qmi.run("qmicli", "-d", PORT, "-p", "--device-open-qmi", "--wds-get-packet-service-status")
            assert "Connection status: 'connected'" in told
            qmi.lpactl("info", "--refresh")
    finally:
        qmi.run("systemctl", "stop", "qmi-proxy.service")
