"""Which of a modem's ways reaches the card: found by using each, since modems lie about what they support."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from lpad.base.errors import CardBusy, CardError, CardStatus, CardUnreachable, InternalError
from lpad.card.channel.abandoned_channels import GET_EID
from lpad.card.channel.exchange import exchange
from lpad.card.channel.status_words import refused_at_once
from lpad.card.modem.refusals import is_phone_failure

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lpad.base.deadline import Deadline
    from lpad.base.identifiers import Aid
    from lpad.card.link.link import Channel
    from lpad.card.quirks.quirks import LinkKind

_log = logging.getLogger(__name__)

_NO_SUCH_APPLICATION = "6A82"
_WITHOUT_A_CHANNEL = ("6A81", "6881")
"""No channel was free, or there are none: no name was heard."""


def find_link(
    kinds: Sequence[LinkKind],
    aids: Sequence[Aid],
    try_out: Callable[[LinkKind, Sequence[Aid]], None],
    *,
    name: str,
) -> LinkKind:
    """Return the first link that works.

    The first of `aids` is tried on every link before the others are: most cards know it, and a modem
    without +CCHO says ERROR to each name.

    Args:
        kinds: the links, preferred first.
        aids: the ISD-R's names, the likeliest first.
        try_out: opens a channel on a link to one of some AIDs, uses and closes it, or raises CardError.
        name: of the port, for the error's sentence.

    Raises:
        CardError: none works; the sentence says what each said.
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
                    # That it has no other name either says nothing of a card that was out of reach before.
                    failures[kind] = error
            else:
                _log.info("%s: %s works", name, kind)
                return kind
    raise _nothing_works(failures, name)


def ask_for_eid(channel: Channel, *, deadline: Deadline) -> None:
    """Ask for something harmless: some modems open a channel and then refuse what is sent on it.

    Raises:
        CardError: the question did not reach the card, or not the ISD-R.
    """
    answer = exchange(channel, GET_EID, deadline=deadline, attempted="cannot read the card's EID")
    if not answer.ok:
        raise refused_at_once("cannot read the card's EID", answer.sw)


def ends_search(error: CardError) -> bool:
    """Tell whether an error says that the port is gone, mute or busy: no other link would fare better."""
    if isinstance(error, CardBusy):
        return True
    return isinstance(error, CardUnreachable) and "modem_error" not in error.details


def _may_know_another_name(error: CardError) -> bool:
    if isinstance(error, CardStatus):
        return error.details.get("sw") not in _WITHOUT_A_CHANNEL
    return "modem_error" in error.details and error.retryable


def _nothing_works(failures: dict[LinkKind, CardError], name: str) -> CardError:
    """Join the failures into the most telling one's error: what the card says beats what a modem says."""
    told = min(failures.values(), key=_telling)
    said = "; ".join(f"{kind}: {error.sentence}" for kind, error in failures.items())
    joined = type(told)(f"no way to the card at {name} was found. {said}", retryable=told.retryable)
    joined.details.update(told.details)
    return joined


def _telling(error: CardError) -> int:
    if isinstance(error, CardStatus):
        return 0 if error.details.get("sw") != _NO_SUCH_APPLICATION else 1
    # A modem that says so may come to itself; of plain refusals it is the most telling.
    return 2 if is_phone_failure(error) else 3
