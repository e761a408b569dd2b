"""Search for the kind of link that reaches the card, by trying all, because modems misreport features."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from lpad.base.errors import CardBusy, CardError, CardStatus, CardUnreachable, InternalError
from lpad.card.channel.abandoned_channels import GET_EID
from lpad.card.channel.exchange import exchange
from lpad.card.channel.status_words import refused_at_once
from lpad.card.modem.cme_errors import is_phone_failure

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lpad.base.deadline import Deadline
    from lpad.base.identifiers import Aid
    from lpad.card.link.link import Channel
    from lpad.card.quirks.quirks import LinkKind

_log = logging.getLogger(__name__)

_NO_SUCH_APPLICATION = "6A82"
_WITHOUT_A_CHANNEL = ("6A81", "6881")
"""Status words for a missing channel; a card that answers with one of them has not looked up the AID."""


def find_link(
    kinds: Sequence[LinkKind],
    aids: Sequence[Aid],
    try_out: Callable[[LinkKind, Sequence[Aid]], None],
    *,
    name: str,
) -> LinkKind:
    """Return the first kind of link that works.

    The first of `aids` is tried on every kind of link before the other AIDs, because most cards know it, and
    a modem without +CCHO answers ERROR to each name.

    Args:
        kinds: the kinds of link, preferred first.
        aids: the ISD-R's AIDs, the likeliest first.
        try_out: opens a channel to one of the given AIDs on a link, uses and closes it, or raises CardError.
        name: name of the port, for the error's sentence.

    Raises:
        CardError: no kind of link works; the sentence contains the answer on each kind.
    """
    if not kinds or not aids:
        raise InternalError("a link search needs at least one kind of link and one AID")
    failures: dict[LinkKind, CardError] = {}
    for names in filter(None, (aids[:1], aids[1:])):
        for kind in kinds:
            if kind in failures and not _may_know_another_name(failures[kind]):
                continue
            try:
                try_out(kind, names)
            except CardError as error:
                if ends_search(error):
                    raise
                _log.debug("%s: %s does not work: %s", name, kind, error)
                if kind not in failures or error.details.get("sw") != _NO_SUCH_APPLICATION:
                    # An unknown name proves nothing if the card could not be reached under the previous name.
                    failures[kind] = error
            else:
                _log.info("%s: %s works", name, kind)
                return kind
    raise _nothing_works(failures, name)


def ask_for_eid(channel: Channel, *, deadline: Deadline) -> None:
    """Read the EID as a harmless test, because some modems open a channel and then refuse commands on it.

    Raises:
        CardError: the command did not reach the card, or the ISD-R refused it.
    """
    answer = exchange(channel, GET_EID, deadline=deadline, attempted="cannot read the card's EID")
    if not answer.ok:
        raise refused_at_once("cannot read the card's EID", answer.sw)


def ends_search(error: CardError) -> bool:
    """Return whether an error means that the port is gone, silent or busy, so that no other link can work."""
    if isinstance(error, CardBusy):
        return True
    return isinstance(error, CardUnreachable) and "modem_error" not in error.details


def _may_know_another_name(error: CardError) -> bool:
    if isinstance(error, CardStatus):
        return error.details.get("sw") not in _WITHOUT_A_CHANNEL
    return "modem_error" in error.details and error.retryable


def _nothing_works(failures: dict[LinkKind, CardError], name: str) -> CardError:
    """Return one error for all failures, of the most informative class; a card's answer explains most."""
    told = min(failures.values(), key=_telling)
    said = "; ".join(f"{kind}: {error.sentence}" for kind, error in failures.items())
    sentence = f"cannot reach the card at {name} by any kind of link. {said}"
    return type(told)(sentence, retryable=told.retryable, **told.details)


def _telling(error: CardError) -> int:
    if isinstance(error, CardStatus):
        return 0 if error.details.get("sw") != _NO_SUCH_APPLICATION else 1
    # A modem that reports a phone failure may recover; no other plain refusal is as informative.
    return 2 if is_phone_failure(error) else 3
