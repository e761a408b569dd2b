"""Channels that may be lost before they are closed, because a card that restarts loses all of them.

After a REFRESH the modem resets the card and opens its own channels, which may get the numbers of lpad's
channels. If lpad then closed "its" channel, the modem would lose a network application. A card also
restarts unnoticed, even in the middle of a session, if a reader's contacts break for less than pcscd's 0.4 s.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from lpad.base.errors import CardUnreachable, InternalError
from lpad.card.channel.abandoned_channels import GET_EID
from lpad.card.port.link_refused import LinkRefused
from lpad.protocol.apdu import Apdu, Response

if TYPE_CHECKING:
    from lpad.base.deadline import Deadline
    from lpad.base.identifiers import Aid

_NO_SUCH_CHANNEL = 0x6881
NOT_OURS = (_NO_SUCH_CHANNEL, 0x6882, 0x6D00, 0x6E00)
"""Status words of a channel without the ISD-R: no such channel, or an application without STORE DATA."""
_DOUBTFUL = (*NOT_OURS, 0x6A86)
"""Status words of a possibly lost channel; 6A86 (wrong block number): previous blocks may be lost."""


class LosableChannel(ABC):
    """An open channel with its application selected, which detects whether the card has lost it."""

    def __init__(self, aid: Aid) -> None:
        """Use a channel that has just been opened."""
        self.aid = aid
        self._open = True
        self._suspected = False
        self._carried = False

    def transmit(self, apdu: Apdu, *, deadline: Deadline) -> bytes:
        """Send an APDU on this channel (see `Channel`).

        A channel that has carried a command was lost if the card now knows no such channel (6881). After any
        other doubtful status word, the answer to another command decides.

        Raises:
            CardUnreachable: the channel was lost, or the check failed.
            CardBusy, CardMalformed: as in `RawCard`.
        """
        if not self._open:
            raise InternalError("a closed channel was used")
        self._suspected = self._suspected or apdu.command.intent.restarts
        answer = self._pass(apdu, deadline=deadline)
        sw = int.from_bytes(answer[-2:], "big")
        if sw not in _DOUBTFUL:
            self._carried = True
        elif self._carried:
            self._suspected = True
            if sw == _NO_SUCH_CHANNEL or self._is_lost(deadline=deadline):
                raise CardUnreachable(
                    "cannot send a command to the card: the card restarted and the channel was lost; try"
                    " again, and if it happens again, check that the card sits firmly in its slot",
                    sw=f"{sw:04X}",
                )
        return answer

    @abstractmethod
    def _pass(self, apdu: Apdu, *, deadline: Deadline) -> bytes:
        """Send an APDU and return the answer (see `RawCard`)."""

    def _is_lost(self, *, deadline: Deadline) -> bool:
        """Return whether the channel is gone or belongs to another program, so that lpad must not close it.

        Without proof, the channel counts as lpad's.

        Raises:
            CardUnreachable, CardBusy, CardMalformed: as in `RawCard`.
        """
        if not self._suspected:
            return False
        try:
            answer = Response.parse(self._pass(Apdu(GET_EID), deadline=deadline))
        except LinkRefused:
            return False
        return answer.sw in NOT_OURS
