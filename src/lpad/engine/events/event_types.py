"""The table of event types: every event that leaves the device has a row here, and a form.

A released type never changes its meaning, and its form only gains fields. Any other change is a new version.
"""

from __future__ import annotations

from inspect import cleandoc
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from lpad.engine.events import event_data as of

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "org.lpad."


class EventType(Struct, frozen=True):
    """One row: the name without prefix and version, the form of the data, and the meaning in a sentence.

    `droppable`: whether a full outbox drops it before others, because a later event replaces it.
    """

    short: str
    data: type[of.Payload]
    means: str
    droppable: bool = False
    version: int = 1

    @property
    def name(self) -> str:
        """The `type` of the event, as in `org.lpad.profile.enabled.v1`."""
        return f"{PREFIX}{self.short}.v{self.version}"

    def schema(self) -> dict[str, Any]:
        """Return the JSON schema of the data; later versions of lpad may add properties."""
        schema = msgspec.json.schema(self.data)["$defs"][self.data.__name__]
        # msgspec before 0.23 leaves the indentation of a docstring's further lines in the description
        return {**schema, "title": self.name, "description": cleandoc(schema["description"])}


PROFILE_DOWNLOADED = EventType(
    "profile.downloaded",
    of.ProfileData,
    "A server has delivered a profile, which is not installed yet.",
)
PROFILE_INSTALLED = EventType("profile.installed", of.ProfileData, "The card has installed a profile.")
PROFILE_ENABLED = EventType(
    "profile.enabled", of.ProfileData, "A profile is enabled; if the switch had a guard, the guard was met."
)
PROFILE_DISABLED = EventType("profile.disabled", of.ProfileData, "A profile was disabled on request.")
PROFILE_DELETED = EventType("profile.deleted", of.ProfileData, "A profile was deleted.")
SWITCH_STARTED = EventType("switch.started", of.SwitchData, "A guarded switch has begun.")
SWITCH_CONFIRMED = EventType("switch.confirmed", of.SwitchData, "The guard of a switch was met.")
SWITCH_ROLLED_BACK = EventType(
    "switch.rolled-back",
    of.SwitchData,
    "A guarded switch was rolled back: the previous profile, another one or none is enabled.",
)
SWITCH_STUCK = EventType(
    "switch.stuck", of.SwitchData, "The guard of a switch was not met, and no other profile could be enabled."
)
FAILOVER_CHANGED = EventType(
    "failover.changed", of.FailoverData, "Failover has reached another stage.", droppable=True
)
CARD_READY = EventType("card.ready", of.CardData, "A card can be used.", droppable=True)
CARD_ABSENT = EventType("card.absent", of.CardData, "A card cannot be reached.", droppable=True)
CARD_FAULTY = EventType("card.faulty", of.CardData, "A card gives wrong answers.", droppable=True)
CARD_REMOVED = EventType("card.removed", of.CardData, "The settings no longer name a card.")
CARD_CHANGED = EventType("card.changed", of.CardChangedData, "Another card is in a known port or reader.")
NOTIFICATION_SET_ASIDE = EventType(
    "notification.set-aside",
    of.NotificationData,
    "lpad no longer tries to deliver a notification, mostly because its server does not accept it.",
)
JOURNAL_REPAIRED = EventType("journal.repaired", of.JournalData, "The journal was damaged and repaired.")
PROVISIONING_CHANGED = EventType(
    "provisioning.changed",
    of.ProvisioningData,
    "A profile from a platform has reached another stage.",
    droppable=True,
)
DISCOVERY_CHANGED = EventType(
    "discovery.changed",
    of.DiscoveryData,
    "An SM-DS lists a new event for a card, or the event's download has reached another stage.",
    droppable=True,
)
LINE_CHANGED = EventType("line.changed", of.LineData, "A platform reports a new state of a line.")
IMEI_CHANGED = EventType(
    "imei.changed", of.ImeiData, "A card is in another modem, or a platform sees its line in another modem."
)
LAYER_UP = EventType(
    "network.layer-up", of.LayerData, "A layer of the data connection works.", droppable=True
)
LAYER_DOWN = EventType(
    "network.layer-down", of.LayerData, "A layer of the data connection does not work.", droppable=True
)
EVENTS_DROPPED = EventType(
    "events.dropped",
    of.DroppedData,
    "The full outbox dropped events that an endpoint or a listener waits for.",
)
EVENTS_TEST = EventType(
    "events.test", of.EndpointTestData, "A user tests an endpoint; nothing has happened.", droppable=True
)

EVENT_TYPES: tuple[EventType, ...] = (
    PROFILE_DOWNLOADED,
    PROFILE_INSTALLED,
    PROFILE_ENABLED,
    PROFILE_DISABLED,
    PROFILE_DELETED,
    SWITCH_STARTED,
    SWITCH_CONFIRMED,
    SWITCH_ROLLED_BACK,
    SWITCH_STUCK,
    FAILOVER_CHANGED,
    CARD_READY,
    CARD_ABSENT,
    CARD_FAULTY,
    CARD_CHANGED,
    CARD_REMOVED,
    NOTIFICATION_SET_ASIDE,
    JOURNAL_REPAIRED,
    PROVISIONING_CHANGED,
    DISCOVERY_CHANGED,
    LINE_CHANGED,
    IMEI_CHANGED,
    LAYER_UP,
    LAYER_DOWN,
    EVENTS_DROPPED,
    EVENTS_TEST,
)

BY_NAME: Mapping[str, EventType] = {each.name: each for each in EVENT_TYPES}
