"""The refusals of a modem on a control port as errors with a remedy; each protocol has a table of its own."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from lpad.base.errors import CardBusy, CardError, CardMalformed
from lpad.base.frozen import Frozen
from lpad.card.port.link_refused import LinkRefused

if TYPE_CHECKING:
    from collections.abc import Iterable

_log = logging.getLogger(__name__)


class Refusal(Frozen):
    """The error for one kind of refusal, with its remedy."""

    error: type[CardError]
    remedy: str
    retryable: bool | None = None
    lock: str | None = None


WAIT = Refusal(CardBusy, "the modem is starting up or its SIM is in use; try again in a few seconds")
OTHER = Refusal(LinkRefused, "a modem reset may help")
"""The error for refusals that the protocol's table does not contain."""


def refusal_error(refusal: Refusal, words: str, *, attempted: str, protocol: str) -> CardError:
    """Return the error for a refusal; its details contain `modem_error`.

    Args:
        words: the modem's reason, such as "sim not inserted".
        attempted: the command and the port.
        protocol: MBIM or QMI.
    """
    error = refusal.error(
        f"{attempted}: the modem answered '{words}'; {refusal.remedy}",
        retryable=refusal.retryable,
        modem_error=f"{protocol} {words}",
    )
    if refusal.lock is not None:
        error.details["modem_lock"] = refusal.lock
    return error


def was_refused(error: CardError, words: Iterable[str], *, protocol: str) -> bool:
    """Return whether an error means that the modem refused for one of the given reasons."""
    return error.details.get("modem_error") in {f"{protocol} {each}" for each in words}


def pass_over(error: CardError) -> None:
    """Log a refusal or an unintelligible answer; raise any other error."""
    if "modem_error" not in error.details and not isinstance(error, CardMalformed):
        raise error
    _log.debug("%s", error)
