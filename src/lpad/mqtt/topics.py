"""The topics of events, states and commands, in the supported layouts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from lpad.base.frozen import Frozen
from lpad.mqtt.mqtt_settings import device_name

if TYPE_CHECKING:
    from lpad.mqtt.mqtt_settings import TopicsSection

UP, DOWN = "up", "down"

_THIN_EDGE = {
    "discover": "esim_discover",
    "download": "esim_download",
    "enable": "esim_enable",
    "provision": "esim_provision",
    "refresh": "esim_refresh",
}
"""lpad's operations in thin-edge.io; the prefix distinguishes them from other programs' operations."""
LONGEST_ID = 128
"""The maximum number of characters of a command's ID in its topic."""


class Topics(Frozen):
    """The topics of one device.

    The topic `health` contains the retained state of lpad-mqtt itself, also as its last will.
    """

    preset: Literal["plain", "thin-edge"]
    prefix: str

    @classmethod
    def of(cls, settings: TopicsSection) -> Topics:
        """Return the topics according to the settings."""
        default = "te/device/main//" if settings.preset == "thin-edge" else f"lpad/{device_name()}"
        return cls(settings.preset, settings.prefix or default)

    @property
    def health(self) -> str:
        """The topic of the retained state of lpad-mqtt."""
        if self.preset == "thin-edge":
            # the service has the device as its parent: te/device/main/service/NAME/status/health
            return f"{self.prefix.removesuffix('//')}/service/lpad-mqtt/status/health"
        return f"{self.prefix}/health"

    def event(self, type_: str) -> str:
        """Return the topic of events of a type."""
        return f"{self.prefix}/e/{type_}" if self.preset == "thin-edge" else f"{self.prefix}/events/{type_}"

    def card(self, name: str) -> str:
        """Return the topic of a card's retained state."""
        return (
            f"{self.prefix}/twin/esim_{name}" if self.preset == "thin-edge" else f"{self.prefix}/cards/{name}"
        )

    def operation(self, name: str) -> str:
        """Return the parent topic of an operation's commands; a retained message announces the operation."""
        return f"{self.prefix}/cmd/{_THIN_EDGE[name] if self.preset == 'thin-edge' else name}"

    def command(self, topic: str) -> tuple[str, str] | None:
        """Return the operation and the ID of a command by its topic; None: the topic is not a command's."""
        head, _, command_id = topic.rpartition("/")
        for name in _THIN_EDGE:
            if head == self.operation(name) and 0 < len(command_id) <= LONGEST_ID:
                return name, command_id
        return None
