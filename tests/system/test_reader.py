"""The confined daemon with a card in a reader of pcscd, and polkit's permissions for lpad."""

from __future__ import annotations

from typing import TYPE_CHECKING

from system.gateway import LPAD_SIM, SIM

if TYPE_CHECKING:
    from system.gateway import Gateway

_CARD = f"""\
[Unit]
Requires=pcscd.service
After=pcscd.service
[Service]
Restart=on-failure
RestartSec=200ms
ExecStart={LPAD_SIM} euicc {SIM}/reader-card --vpcd localhost:35963 --pki {SIM}/pki
"""


def test_lpad_reaches_a_card_in_a_reader(gateway: Gateway) -> None:
    """The confined daemon reads a card in a reader through pcscd."""
    gateway.write("/etc/systemd/system/sim-reader.service", _CARD)
    gateway.run("systemctl", "daemon-reload")
    gateway.run("systemctl", "start", "sim-reader.service")
    gateway.write_settings(euiccs={"reader": {"reader": "Virtual PCD 00 00"}})
    gateway.run("systemctl", "restart", "lpad.service")
    gateway.until(lambda: gateway.curl("/v1/euiccs/reader", user="rita")[1]["state"] == "ready", "the card")


_POLICY = """\
<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE policyconfig PUBLIC "-//freedesktop//DTD PolicyKit Policy Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/PolicyKit/1/policyconfig.dtd">
<policyconfig><action id="{action}">
<description>of a daemon that is not here</description><message>no</message>
<defaults><allow_any>no</allow_any><allow_inactive>no</allow_inactive><allow_active>yes</allow_active></defaults>
</action></policyconfig>
"""


ACTIONS = (
    "org.freedesktop.ModemManager1.Control",
    "org.freedesktop.ModemManager1.Device.Control",
    "org.freedesktop.NetworkManager.settings.modify.system",
    "org.freedesktop.NetworkManager.network-control",
    "org.debian.pcsc-lite.access_pcsc",
    "org.debian.pcsc-lite.access_card",
)


def test_polkit_lets_lpad_pass(gateway: Gateway) -> None:
    """For each action that lpad needs, polkit allows the daemon and refuses another user."""
    for action in ACTIONS:
        gateway.write(f"/usr/share/polkit-1/actions/{action}.policy", _POLICY.format(action=action))
    gateway.run("systemctl", "restart", "polkit.service")
    for action in ACTIONS:
        gateway.run("pkcheck", "--action-id", action, "--process", str(gateway.pid()))
        gateway.run("sh", "-c", f"! pkcheck --action-id {action} --process $$", user="mallory")
