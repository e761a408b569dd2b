"""A modem, lent by its link to code that uses the modem and not the card."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lpad.card.modem.at_modem import AtModem
    from lpad.card.modem.control_modem import ControlModem
    from lpad.card.modem.powered_down_note import PoweredDown
    from lpad.card.quirks.quirks import Quirks


@dataclass(frozen=True, slots=True, kw_only=True)
class LentModem:
    """The modem, its quirks, and the note about its powered-down parts."""

    modem: AtModem | ControlModem
    quirks: Quirks
    powered_down: PoweredDown
