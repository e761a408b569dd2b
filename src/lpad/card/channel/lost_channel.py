"""Channels that may be gone before they are closed: a card that is started anew loses all of them.

After a REFRESH the modem resets the card and opens channels of its own, with the same numbers. To close
"our" channel then would take the modem's network application away from it. A reader's contacts that break
for less than pcscd's 0.4 s have the same effect in the middle of a session, and no other sign.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.base.errors import CardUnreachable
from lpad.card.channel.abandoned_channels import GET_EID
from lpad.card.port.link_refused import LinkRefused
from lpad.protocol.apdu import Apdu, Response

if TYPE_CHECKING:
    from collections.abc import Callable

_NO_SUCH_CHANNEL = 0x6881
_NOT_OURS = (_NO_SUCH_CHANNEL, 0x6882, 0x6D00, 0x6E00)
"""No such channel; or one with an application that does not know STORE DATA, so not the ISD-R."""
_DOUBTFUL = (*_NOT_OURS, 0x6A86)
"""The last one is a wrong block number: the card may have forgotten the blocks before."""


class LostChannel:
    """Follows what is said on one channel, and tells whether it is still the same."""

    def __init__(self) -> None:
        """Begin with a channel that has just been opened."""
        self._suspected = False
        self._carried = False

    def follow(self, apdu: Apdu) -> None:
        """Take note of an APDU that is sent: it may make the modem start the card anew."""
        self._suspected = self._suspected or apdu.command.intent.restarts

    def heed(self, answer: bytes, transmit: Callable[[Apdu], bytes]) -> None:
        """Take note of the answer to an APDU.

        A channel that has carried commands and now knows none of them was lost. Where the card could mean
        that it lacks one function, the answer to another one decides.

        Args:
            answer: with its status word.
            transmit: sends an APDU on the channel.

        Raises:
            CardUnreachable: the channel was lost, or asking for it failed.
            CardBusy, CardMalformed: as in `RawCard`.
        """
        sw = int.from_bytes(answer[-2:], "big")
        if sw not in _DOUBTFUL:
            self._carried = True
        elif self._carried:
            self._suspected = True
            if sw == _NO_SUCH_CHANNEL or self.is_lost(transmit):
                raise CardUnreachable(
                    "cannot send a command to the card: the card restarted and the channel was lost; try"
                    " again, and if it happens again, check that the card sits firmly in its slot",
                    sw=f"{sw:04X}",
                )

    def is_lost(self, transmit: Callable[[Apdu], bytes]) -> bool:
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
            answer = Response.parse(transmit(Apdu(GET_EID)))
        except LinkRefused:
            return False
        return answer.sw in _NOT_OURS
