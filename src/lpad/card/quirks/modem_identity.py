"""What a modem calls itself, and so whose quirks it has."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ModemIdentity:
    """A modem's make; empty where it tells nothing."""

    manufacturer: str = ""
    model: str = ""
    firmware: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, (self.manufacturer, self.model, self.firmware))) or "unknown modem"


UNKNOWN_MODEM = ModemIdentity()
