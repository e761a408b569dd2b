"""Cancelling a session: the reason and the procedure (SGP.22 v2.5, 5.7.14 and 5.6.5)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from lpad.base.deadline import Deadline
from lpad.base.errors import (
    Cancelled,
    CardError,
    ConfirmationCodeRequired,
    Declined,
    LpadError,
    PolicyRefused,
    ServerRefused,
)
from lpad.codec.messages.cancel_session import CancelSessionReason
from lpad.codec.server_status_codes import Remedy
from lpad.lpa.download_interface import Decision
from lpad.lpa.owner_install_policy import reason_of
from lpad.protocol.download_state_table import State

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.base.cancellation import Cancellation
    from lpad.codec.es9plus import InitiateAuthenticationAnswer
    from lpad.lpa.euicc import Euicc
    from lpad.remote.es9plus import Es9Plus

_LOG = logging.getLogger(__name__)

# Separate time limits, because the download's deadline may have passed.
_ON_CARD = 30.0
_ON_SERVER = 30.0

_DECIDED = {
    Decision.REJECT.value: CancelSessionReason.END_USER_REJECTION,
    Decision.POSTPONE.value: CancelSessionReason.POSTPONED,
    Decision.TIMEOUT.value: CancelSessionReason.TIMEOUT,
}


def reason_for(error: Exception, state: State) -> CancelSessionReason:
    """Return the reason for cancelling after `error`, which occurred in `state`.

    The reason is `postponed` if another attempt can succeed: the order remains open, and the card may keep
    its one-time key, so that the server need not bind the profile again. Any other reason except `timeout`
    closes the order permanently, which must not happen if a modem was only slow during the loading.
    """
    if isinstance(error, CardError) and not error.retryable and state in (State.BOUND, State.LOADING):
        return CancelSessionReason.LOAD_BPP_EXECUTION_ERROR
    if isinstance(error, PolicyRefused):
        return reason_of(error)
    if isinstance(error, Declined):
        return _DECIDED.get(str(error.details.get("decision")), CancelSessionReason.UNDEFINED_REASON)
    return CancelSessionReason.POSTPONED if _passes(error) else CancelSessionReason.UNDEFINED_REASON


def cancel(
    euicc: Euicc,
    server: Es9Plus,
    session: InitiateAuthenticationAnswer,
    reason: CancelSessionReason,
    *,
    interruption: Cancellation | None,
    owe: Callable[[str, bytes], None],
) -> None:
    """Cancel the session on the card, then send the server the card's signed answer.

    Failures are only logged, because the error that caused the cancellation matters more, and the server
    itself forgets a session after a while.

    Args:
        euicc: an open ISD-R.
        interruption: ends the wait for the server; None: nothing ends it early.
        owe: stores the transaction ID and the card's signed answer (BF41) for later if lpad cannot wait for
            the server.
    """
    try:
        answer = euicc.cancel_session(session.transaction_id, reason, deadline=Deadline.after(_ON_CARD))
        within = Deadline.after(_ON_SERVER, cancellation=interruption)
        try:
            within.check()
            server.cancel_session(
                transaction_id=session.transaction_id_text,
                cancel_session_response=answer.raw,
                deadline=within,
            )
        except Cancelled:
            owe(session.transaction_id_text, answer.raw)
            _LOG.info("session cancelled on the card (%s); lpad informs the server later", reason.reason)
            return
    except LpadError as error:
        _LOG.debug("the session could not be cancelled (%s): %s", reason.reason, error)
    else:
        _LOG.info("session cancelled on card and server (%s)", reason.reason)


def _passes(error: Exception) -> bool:
    """Return whether the same order can be used again."""
    if isinstance(error, ServerRefused) and error.details["remedy"] == Remedy.CONFIRMATION_CODE:
        return True
    return isinstance(error, Cancelled | ConfirmationCodeRequired) or (
        isinstance(error, LpadError) and error.retryable
    )
