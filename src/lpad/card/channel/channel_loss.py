"""Channels that may be lost before they are closed, because a card that restarts loses all of them.

After a REFRESH the modem resets the card and opens its own channels, with the same numbers. If lpad then
closed "its" channel, the modem would lose its network application. A card also
restarts unnoticed, even in the middle of a session, if a reader's contacts break for less than pcscd's 0.4 s.
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
NOT_OURS = (_NO_SUCH_CHANNEL, 0x6882, 0x6D00, 0x6E00)
"""Status words of a channel without the ISD-R: no such channel, or an application without STORE DATA."""
_DOUBTFUL = (*NOT_OURS, 0x6A86)
"""Status words of a possibly lost channel; 6A86 (wrong block number): previous blocks may be lost."""


class LostChannel:
    """Follows the commands on one channel and detects whether the card has lost it."""

    def __init__(self) -> None:
        """Follow a channel that has just been opened."""
        self._suspected = False
        self._carried = False

    def follow(self, apdu: Apdu) -> None:
        """Record whether a sent APDU may make the modem restart the card."""
        self._suspected = self._suspected or apdu.command.intent.restarts

    def heed(self, answer: bytes, transmit: Callable[[Apdu], bytes]) -> None:
        """Check whether the answer to an APDU shows that the channel is lost.

        A channel that has carried commands and now recognizes none of them was lost. If the card may
        merely lack a function, the answer to another command, sent with `transmit`, decides.

        Raises:
            CardUnreachable: the channel was lost, or the check failed.
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
        """Return whether the channel is gone or belongs to another program, so that lpad must not close it.

        Without proof, the channel counts as lpad's, because a surplus channel is closed later.

        Raises:
            CardUnreachable, CardBusy, CardMalformed: as in `RawCard`.
        """
        if not self._suspected:
            return False
        try:
            answer = Response.parse(transmit(Apdu(GET_EID)))
        except LinkRefused:
            return False
        return answer.sw in NOT_OURS
