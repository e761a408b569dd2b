"""The topics of the presets `plain` and `thin-edge`."""

from __future__ import annotations

import pytest

from lpad.mqtt.broker_command_table import OPERATIONS
from lpad.mqtt.mqtt_settings import TopicsSection, device_name
from lpad.mqtt.topics import Topics


@pytest.mark.parametrize("preset", ["plain", "thin-edge"])
def test_commands_are_found_by_their_topics(preset: str) -> None:
    """A command's topic contains its operation and ID, and other topics are not commands."""
    topics = Topics.of(TopicsSection(preset=preset))  # type: ignore[arg-type]  # both presets are known
    for name in OPERATIONS:
        assert topics.command(f"{topics.operation(name)}/id-1") == (name, "id-1")
        assert topics.command(topics.operation(name)) is None
        assert topics.command(f"{topics.operation(name)}/") is None
        assert topics.command(f"{topics.operation(name)}/{'x' * 129}") is None
        assert topics.command(f"{topics.operation(name)}/a/b") is None
    assert topics.command("lpad/other/cmd/reset/1") is None


def test_the_presets() -> None:
    plain, thin_edge = Topics.of(TopicsSection()), Topics.of(TopicsSection(preset="thin-edge"))
    assert plain.event("org.lpad.x.v1") == f"lpad/{device_name()}/events/org.lpad.x.v1"
    assert plain.card("modem") == f"lpad/{device_name()}/cards/modem"
    assert plain.health == f"lpad/{device_name()}/health"
    assert thin_edge.event("org.lpad.x.v1") == "te/device/main///e/org.lpad.x.v1"
    assert thin_edge.card("modem") == "te/device/main///twin/esim_modem"
    assert thin_edge.health == "te/device/main/service/lpad-mqtt/status/health"
    assert thin_edge.operation("download") == "te/device/main///cmd/esim_download"
