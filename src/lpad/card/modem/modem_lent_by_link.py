"""A modem, lent by its link to code that uses the modem and not the card."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.base.frozen import Frozen

if TYPE_CHECKING:
    from lpad.card.modem.modem import Modem
    from lpad.card.modem.powered_down_note import PoweredDown
    from lpad.card.quirks.quirks import Quirks


class LentModem(Frozen, kw_only=True):
    """The modem, its quirks, and the note about its powered-down parts."""

    modem: Modem
    quirks: Quirks
    powered_down: PoweredDown
