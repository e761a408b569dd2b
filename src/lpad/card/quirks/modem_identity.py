"""A modem's identification, which determines its quirks."""

from __future__ import annotations

from lpad.base.frozen import Frozen


class ModemIdentity(Frozen, kw_only=True):
    """A modem's maker, model and firmware; empty if it does not report them."""

    manufacturer: str = ""
    model: str = ""
    firmware: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, (self.manufacturer, self.model, self.firmware))) or "unknown modem"


UNKNOWN_MODEM = ModemIdentity()
