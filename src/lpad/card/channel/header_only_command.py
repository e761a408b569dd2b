"""Commands that consist of a header only, for links that refuse commands of four bytes.

MANAGE CHANNEL that closes a channel has neither data nor answer, so it has four bytes (ISO/IEC 7816-4). With
T=0 a header has five bytes, and modems expect APDUs in the form of T=0: +CSIM with only 10 to 522 characters
(Moxa OnCell G2150I, Wavecom). Programs for the nRF91 send four bytes. So lpad sends the fifth byte, and omits
this byte if the link refuses the command.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.card.port.link_refused import LinkRefused

if TYPE_CHECKING:
    from lpad.base.deadline import Deadline
    from lpad.card.link.link import RawCard
    from lpad.protocol.apdu import Apdu

_HEADER = 4
_WRONG_LENGTH = (0x67, 0x6C)


class BareHeader:
    """A raw card that adds a P3 of 00 to commands of four bytes, unless the link or the card refuses P3."""

    def __init__(self, card: RawCard) -> None:
        self._card = card
        self._four_bytes = False

    def transmit(self, apdu: Apdu, *, deadline: Deadline) -> bytes:
        """Pass a command on (see `RawCard`); try both forms of a four-byte command if needed."""
        if len(apdu) != _HEADER:
            return self._card.transmit(apdu, deadline=deadline)
        usual, other = (apdu, apdu.with_le()) if self._four_bytes else (apdu.with_le(), apdu)
        refusal: LinkRefused | None = None
        answer = b""
        try:
            answer = self._card.transmit(usual, deadline=deadline)
        except LinkRefused as error:
            refusal = error
        if refusal is None and (len(answer) != 2 or answer[0] not in _WRONG_LENGTH):
            return answer
        # A command that the link refused, or whose length is wrong, was not carried out.
        try:
            answer = self._card.transmit(other, deadline=deadline)
        except LinkRefused as error:
            raise refusal or error from None
        self._four_bytes = other == apdu
        return answer
