"""The eUICCs in a card: every ISD-R name that answers, with its EID."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from lpad.base.errors import CardError, CardMalformed, CardStatus, blamed_on
from lpad.base.frozen import Frozen
from lpad.card.isdr.isdr import isdr_session
from lpad.codec import es10_intents
from lpad.codec.messages.get_eid import GET_EID, decode_eid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lpad.base.deadline import Deadline
    from lpad.base.identifiers import Aid, Eid
    from lpad.card.link.link import Link

_log = logging.getLogger(__name__)

_WITHOUT_A_CHANNEL = ("6A81", "6881")
"""Status words for a missing channel; a card that answers with one of them has not looked up the AID."""


class FoundIsdr(Frozen):
    """An eUICC in the card: the AID of its ISD-R, and its EID."""

    aid: Aid
    eid: Eid


def isdrs_of(link: Link, aids: Sequence[Aid], *, deadline: Deadline) -> tuple[FoundIsdr, ...]:
    """Try every name, and return one name for each eUICC; two names may lead to the same eUICC.

    Raises:
        CardStatus: no channel can be opened (status word 6A81 or 6881).
        CardUnreachable, CardBusy, CardMalformed: as in `Link.open_channel`.
    """
    found: dict[Eid, FoundIsdr] = {}
    for aid in aids:
        try:
            with isdr_session(link, aids=(aid,), deadline=deadline) as isdr:
                answer = isdr.command(GET_EID, intent=es10_intents.GET_EID, deadline=deadline)
        except CardError as error:
            if not _is_unknown(error):
                raise
            continue
        with blamed_on(CardMalformed, "ES10c.GetEID"):
            eid = decode_eid(answer)
        found.setdefault(eid, FoundIsdr(aid, eid))
    return tuple(found.values())


def _is_unknown(error: CardError) -> bool:
    """Return whether an error means an unknown name, and not an unreachable card."""
    if isinstance(error, CardStatus):
        return error.details.get("sw") not in _WITHOUT_A_CHANNEL
    return "modem_error" in error.details
