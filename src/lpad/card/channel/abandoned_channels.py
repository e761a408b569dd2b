"""Unused channels on a raw card, left open by a crashed process.

A card has few channels, and each stays open until it is closed or the card is reset. A channel that the modem
uses has an application of the network selected. A channel of an LPA has the ISD-R selected; or still the
master file, as after MANAGE CHANNEL, if the LPA ended before SELECT, or SELECT failed.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from lpad.base.errors import MalformedError
from lpad.card.channel.exchange import exchange
from lpad.codec import es10_intents
from lpad.codec.asn1 import tlv
from lpad.codec.messages import get_eid
from lpad.protocol.apdu import MOST_CHANNELS, Command, store_data

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lpad.base.deadline import Deadline
    from lpad.card.link.link import RawCard
    from lpad.protocol.apdu import Response

_log = logging.getLogger(__name__)

GET_EID = store_data(get_eid.GET_EID, intent=es10_intents.GET_EID)[0]
"""An ES10 command that changes nothing; only an ISD-R answers it (SGP.22 v2.5, 5.7.20)."""

_STATUS = Command(0x80, 0xF2, le=256)
"""STATUS (ETSI TS 102 221, 11.1.2); P2 00 returns the control parameters of the selected file."""
_MASTER_FILE = b"\x3f\x00"
_NOT_OPEN = 0x6881
_NO_SUCH_CLASS = 0x6E00
_ANY_CHANNEL = range(1, MOST_CHANNELS)


def close_leftovers(card: RawCard, numbers: Iterable[int] = _ANY_CHANNEL, *, deadline: Deadline) -> int:
    """Close the channels that an LPA left open, and return how many; channels of the modem stay open.

    Raises:
        CardError: the card cannot be reached, or the modem passes no commands to logical channels.
    """
    closed = 0
    for number in numbers:
        if not is_leftover(card, number, deadline=deadline):
            continue
        close = Command(0, 0x70, 0x80, number)
        answer = exchange(card, close, deadline=deadline, attempted="MANAGE CHANNEL")
        _log.warning(
            "an earlier program left logical channel %d open; %s",
            number,
            "lpad closed it" if answer.ok else f"lpad could not close it: status {answer.sw:04X}",
        )
        closed += answer.ok
    return closed


def is_leftover(card: RawCard, number: int, *, deadline: Deadline) -> bool:
    """Return whether a channel is open and belongs to an LPA; see the module's docstring.

    Raises:
        CardError: the card cannot be reached, or the modem passes no commands to logical channels.
    """

    def ask(command: Command, attempted: str) -> Response:
        return exchange(card, command.on_channel(number), deadline=deadline, attempted=attempted)

    answer = ask(GET_EID, "cannot find out which channels were left open")
    if answer.ok:
        return True
    if answer.sw == _NOT_OPEN:
        return False
    return _has_nothing_selected(ask(_STATUS, "STATUS"))


def is_any_open(card: RawCard, *, deadline: Deadline) -> bool:
    """Return whether any logical channel of the card is open, even one of the modem.

    Raises:
        CardError: the card cannot be reached.
    """
    return any(
        exchange(
            card,
            GET_EID.on_channel(number),
            deadline=deadline,
            attempted="cannot find out which channels are open",
        ).sw
        not in (_NOT_OPEN, _NO_SUCH_CLASS)
        for number in _ANY_CHANNEL
    )


def _has_nothing_selected(answer: Response) -> bool:
    """Return whether control parameters (ETSI TS 102 221, 11.1.1.3) are those of the master file."""
    try:
        identifier = tlv.parse(answer.data).find(0x83) if answer.ok else None
    except MalformedError:
        return False
    return identifier is not None and identifier.value == _MASTER_FILE
