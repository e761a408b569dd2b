"""A modem, lent by the link through it to whoever has business with the modem and not with the card."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lpad.card.modem.at_modem import AtModem
    from lpad.card.modem.powered_down import PoweredDown
    from lpad.card.quirks.quirks import Quirks


@dataclass(frozen=True, slots=True, kw_only=True)
class LentModem:
    """The modem, how to treat it, and the note of what is powered down in it."""

    modem: AtModem
    quirks: Quirks
    powered_down: PoweredDown
