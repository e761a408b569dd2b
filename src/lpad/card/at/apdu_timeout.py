"""How long a card may work on an APDU, which the first block of a STORE DATA chain tells for all of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lpad.card.quirks.quirks import AtTimeouts

_STORE_DATA = 0xE2
# First bytes of ES10 commands after which a card works long: Enable, Disable, Delete, MemoryReset; the
# segments of a bound profile package, which begin with BF36, A0, A1, A2, A3, 86 or 88 (SGP.22 v2.5, 2.5.5).
_LONG_WORK = (
    b"\xbf\x31",
    b"\xbf\x32",
    b"\xbf\x33",
    b"\xbf\x34",
    b"\xbf\x36",
    b"\xa0",
    b"\xa1",
    b"\xa2",
    b"\xa3",
    b"\x86",
    b"\x88",
)


class ApduTimeout:
    """Follows the APDUs on one way to the card."""

    def __init__(self) -> None:
        """Begin outside of any chain."""
        self._long_work = False

    def of(self, apdu: bytes, patience: AtTimeouts) -> float:
        """Return the seconds that the card may take for `apdu`, the next one that is sent."""
        if apdu[1] != _STORE_DATA:
            self._long_work = False
        elif apdu[3] == 0:
            self._long_work = apdu[5:].startswith(_LONG_WORK)
        return patience.change if self._long_work else patience.apdu
