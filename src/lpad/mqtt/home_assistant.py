"""Home Assistant's discovery message, which makes a card a sensor in Home Assistant."""

from __future__ import annotations

from typing import Any


def discovery(
    name: str, *, prefix: str, state_topic: str, health: str, up: str, down: str
) -> tuple[str, dict[str, Any]]:
    """Return Home Assistant's discovery message of a card: its topic below `homeassistant/`, and its content.

    Args:
        name: the card's name.
        prefix: the text that distinguishes this device from others.
        state_topic: the topic of the card's state.
        health: the topic of the state of lpad-mqtt.
        up: the status in the topic `health` while there is a connection.
        down: the status in the topic `health` without a connection.
    """
    device = "".join(each if each.isalnum() else "_" for each in prefix).strip("_")
    content = {
        "name": f"eSIM {name}",
        "unique_id": f"lpad_{device}_{name}",
        "object_id": f"lpad_{device}_{name}",
        "state_topic": state_topic,
        "value_template": "{{ value_json.enabled | default('none') }}",
        "json_attributes_topic": state_topic,
        "availability_topic": health,
        "availability_template": "{{ value_json.status }}",
        "payload_available": up,
        "payload_not_available": down,
        "icon": "mdi:sim",
        "device": {"identifiers": [f"lpad_{device}"], "name": prefix, "manufacturer": "lpad"},
    }
    return f"homeassistant/sensor/lpad_{device}_{name}/config", content
