"""SELECT by name, for the first of several applications that a card knows (ISO/IEC 7816-4, 11.1.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from lpad.base.errors import InternalError
from lpad.card.channel.status_words import no_isdr, status_error
from lpad.protocol.apdu import Apdu, Command, Response

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lpad.base.deadline import Deadline
    from lpad.base.identifiers import Aid
    from lpad.card.link.link import RawCard

_SELECT = 0xA4
_BY_NAME = 0x04
_WRONG_LENGTH = 0x6C
_MORE = 0x61
_NO_SUCH_APPLICATION = 0x6A82
_NO_SUCH_CHANNEL = 0x6881


def select_first(card: RawCard, number: int, aids: Sequence[Aid], *, deadline: Deadline) -> Aid:
    """Select the first of `aids` that the card accepts, and return it.

    Cards whose ISD-R has only a vendor's name refuse the standard name with 6A82, and some with
    6999, 6A86, 6985 or 6283. After any of these status words, the next name may work.

    Args:
        number: the channel number, 0 to 19.
        aids: the names, preferred first.

    Raises:
        CardStatus: the card accepts none of `aids`; `sw` is 6A82 if all names are unknown, otherwise the
            first status word other than 6A82.
        CardUnreachable, CardBusy, CardMalformed: as in `RawCard`.
    """
    if not aids:
        raise InternalError("the AID of the application to select is missing")
    telling: int | None = None
    for aid in aids:
        sw = _select(card, Command(0, _SELECT, _BY_NAME, 0, bytes(aid)).on_channel(number), deadline=deadline)
        if sw == 0:
            return aid
        if sw != _NO_SUCH_APPLICATION and telling is None:
            telling = sw
        if sw == _NO_SUCH_CHANNEL:
            break  # This status word means the same for every AID.
    if telling is None:
        raise no_isdr()
    raise status_error("cannot select the ISD-R", telling)


def _select(card: RawCard, command: Command, *, deadline: Deadline) -> int:
    """Return 0 if the selection succeeded, otherwise the status word.

    An LPA does not need the data that SELECT offers through GET RESPONSE, because the ISD-R's version must be
    read with GetEuiccInfo. So lpad does not fetch the data.
    """
    answer = Response.parse(card.transmit(Apdu(command), deadline=deadline))
    if answer.sw >> 8 == _WRONG_LENGTH:
        again = replace(command, le=answer.sw & 0xFF or 256)
        answer = Response.parse(card.transmit(Apdu(again), deadline=deadline))
    return 0 if answer.ok or answer.sw >> 8 == _MORE else answer.sw
