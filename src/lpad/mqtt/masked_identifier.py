"""Identifiers as `identifiers: redacted` shows them: with their last digits only."""

from __future__ import annotations

from typing import Any

_IDENTIFIERS = ("eid", "iccid", "imei", "previous", "enabled")
"""Fields of an event's data with the number of a card, a profile or a modem; docs/events.md lists them."""
_SHOWN_DIGITS = 4


def masked(text: str) -> str:
    """Return the last digits of an identifier."""
    return f"…{text[-_SHOWN_DIGITS:]}"


def masked_event(event: dict[str, Any]) -> dict[str, Any]:
    """Return a CloudEvent whose identifiers are masked."""
    data = event.get("data")
    if not isinstance(data, dict):
        return event
    shown = {
        name: masked(value) if name in _IDENTIFIERS and isinstance(value, str) else value
        for name, value in data.items()
    }
    return {**event, "data": shown}
