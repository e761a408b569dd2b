"""The API's types for events that leave the device."""

from __future__ import annotations

from typing import Any

import msgspec


class EventTypeView(msgspec.Struct, frozen=True, kw_only=True):
    """A type of event: its name, its meaning, and the JSON schema of its data.

    `droppable`: whether a full outbox drops it before others.
    """

    type: str
    means: str
    droppable: bool
    data_schema: dict[str, Any]


class EventTypeList(msgspec.Struct, frozen=True, kw_only=True):
    """All types of events."""

    types: list[EventTypeView]
