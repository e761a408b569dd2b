"""The trial of blocks that are larger than a modem's quirk allows (see `LargerBlocks`).

The command is GetProfilesInfo with a tag list that fills a whole block of 255 bytes. The command alters
nothing. The tag of the ICCID is at the end of the list: if the link loses the end of the block, the answer
lacks the ICCIDs, however lenient the card is. The answer of a card without profiles proves nothing, so lpad
does not try larger blocks with such a card.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from lpad.base.deadline import Deadline
from lpad.base.errors import CardError, CardUnreachable, MalformedError
from lpad.card.isdr.isdr import isdr_session
from lpad.card.link.larger_blocks import larger_blocks_of
from lpad.codec.es10_intents import GET_PROFILES_INFO
from lpad.codec.messages.profiles import ProfileInfoListRequest, ProfileInfoListResponse
from lpad.protocol.apdu import LARGEST_BLOCK

if TYPE_CHECKING:
    from collections.abc import Collection

    from lpad.engine.running.card.card_with_open_link import Card

log = logging.getLogger(__name__)

PATIENCE = 5.0
"""Seconds for the answer, which takes a tenth of a second on a serial line with 115200 baud."""
_STATE, _ICCID = 0x9F70, 0x5A
_TAGS = (*[_STATE] * 123, _ICCID, _ICCID)
LONG_REQUEST = ProfileInfoListRequest(tags=_TAGS).encode()
"""A request of 255 bytes, SGP.22 v2.5, 5.7.15."""


def try_larger_blocks(card: Card, iccids: Collection[str], *, seconds: float) -> None:
    """Find out whether the modem transmits larger blocks intact, unless this is known.

    A closed port is not opened for the trial, because the program that lent it may be using it again.

    Args:
        card: the card; the trial may close its port, which is then opened again at the next use.
        iccids: the ICCIDs of the profiles on the card.
        seconds: the time limit for opening the card.
    """
    if not card.is_open:
        return
    try:
        opened = card.open(deadline=Deadline.after(seconds))
        link = larger_blocks_of(opened)
        if link is None or card.port.block_size < LARGEST_BLOCK:
            return
        if not (iccids and link.may_try_larger):
            return
        log.info("%s: trying blocks of %d bytes", card.port.name, LARGEST_BLOCK)
        link.begin_trial()
        found = _iccids_by_long_request(card, seconds=seconds)
        if found != set(iccids):
            log.info("%s: the modem damages blocks of %d bytes", card.port.name, LARGEST_BLOCK)
        elif (link := larger_blocks_of(opened)) is not None:  # by now, another port may be in use
            link.larger_passed()
    except (CardError, MalformedError) as error:
        log.info("%s: blocks of %d bytes do not pass: %s", card.port.name, LARGEST_BLOCK, error)
        if isinstance(error, CardUnreachable):
            card.drop()


def _iccids_by_long_request(card: Card, *, seconds: float) -> set[str] | None:
    """Return the ICCIDs in the answer; None if the link carried the long request in smaller blocks only."""
    link = card.open(deadline=Deadline.after(seconds))
    with isdr_session(link, aids=card.port.aids, deadline=Deadline.after(seconds)) as isdr:
        isdr.block_size = LARGEST_BLOCK
        answer = isdr.command(LONG_REQUEST, intent=GET_PROFILES_INFO, deadline=Deadline.after(PATIENCE))
        if isdr.block_size < LARGEST_BLOCK:
            return None
    return {str(each.iccid) for each in ProfileInfoListResponse.decode(answer).profiles}
