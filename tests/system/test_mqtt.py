"""lpad-mqtt, a separate service of the package, with Debian's mosquitto as the broker."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from system.gateway import CARD

if TYPE_CHECKING:
    from system.gateway import Gateway

_READ = (
    "import paho.mqtt.subscribe as s;"
    f"print(s.simple('lpad/+/cards/{CARD}', hostname='localhost', keepalive=10).payload.decode())"
)


def test_the_bridge_publishes_the_card_with_minimal_rights(gateway: Gateway) -> None:
    """lpad-mqtt is disabled after the installation; when started, it publishes the card as its own user."""
    assert gateway.show("lpad-mqtt.service", "UnitFileState")["UnitFileState"] == "disabled"
    assert gateway.active("lpad-mqtt.service") == "inactive"
    gateway.run("systemctl", "start", "mosquitto.service")
    gateway.run("systemctl", "start", "lpad-mqtt.service")
    said = gateway.run("timeout", "60", "/usr/lib/lpad/bin/python3", "-I", "-c", _READ)
    assert json.loads(said)["card"] == CARD
    pid = gateway.show("lpad-mqtt.service", "MainPID")["MainPID"]
    assert gateway.run("ps", "-o", "user=", "-p", pid).strip() == "lpad-mqtt"
    gateway.run("systemctl", "stop", "lpad-mqtt.service")
    assert gateway.show("lpad-mqtt.service", "Result")["Result"] == "success"
    gateway.run("systemctl", "stop", "mosquitto.service")
