"""Channels that may be gone before they are closed: a card that is started anew loses all of them.

After a REFRESH the modem resets the card and opens channels of its own, with the same numbers. To close
"our" channel then would take the modem's network application away from it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.card.leftovers import GET_EID
from lpad.card.link import LinkRefused
from lpad.protocol.apdu import Response

if TYPE_CHECKING:
    from collections.abc import Callable

_STORE_DATA = 0xE2
_RESTARTING = (b"\xbf\x31", b"\xbf\x32", b"\xbf\x34")
"""First bytes of EnableProfile, DisableProfile and eUICCMemoryReset (SGP.22 v2.5, 5.7.16 to 5.7.19)."""
_NOT_OURS = (0x6881, 0x6882, 0x6D00, 0x6E00)
"""No such channel; or one with an application that does not know STORE DATA, so not the ISD-R."""


class LostChannel:
    """Follows the APDUs on one channel, and tells before it is closed whether it is still the same."""

    def __init__(self) -> None:
        """Begin with a channel that has just been opened."""
        self._suspected = False

    def follow(self, apdu: bytes) -> None:
        """Take note of an APDU that is sent: it may make the modem start the card anew."""
        if apdu[1] == _STORE_DATA and apdu[3] == 0 and apdu[5:].startswith(_RESTARTING):
            self._suspected = True

    def is_lost(self, transmit: Callable[[bytes], bytes]) -> bool:
        """Return whether the channel is gone or another's, and not to be closed.

        An answer that says neither leaves it ours: a channel too many is tidied up later.

        Args:
            transmit: sends an APDU on the channel.

        Raises:
            CardUnreachable, CardBusy, CardMalformed: as in `RawCard`.
        """
        if not self._suspected:
            return False
        try:
            answer = Response.parse(transmit(bytes(GET_EID)))
        except LinkRefused:
            return False
        return answer.sw in _NOT_OURS
