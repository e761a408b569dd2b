"""Identifiers under the setting `identifiers: redacted`, which shows only their last digits."""

from __future__ import annotations

from typing import Any

from lpad.base.redaction import last_digits

_IDENTIFIERS = ("eid", "iccid", "imei", "previous", "enabled")
"""Fields of an event's data with the number of a card, a profile or a modem; docs/events.md lists them."""


def masked_event(event: dict[str, Any]) -> dict[str, Any]:
    """Return a CloudEvent whose identifiers are masked."""
    data = event.get("data")
    if not isinstance(data, dict):
        return event
    shown = {
        name: last_digits(value) if name in _IDENTIFIERS and isinstance(value, str) else value
        for name, value in data.items()
    }
    return {**event, "data": shown}
