"""ES9+.CancelSession (SGP.22 v2.5, 5.6.5): the card reports, signed, that the download has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.base.errors import MalformedError
from lpad.codec.asn1 import object_identifier
from lpad.simulator.smdp.functions import status_codes
from lpad.simulator.smdp.functions.sessions import SessionState
from lpad.simulator.smdp.functions.status_codes import Refusal
from lpad.simulator.smdp.store.order import OrderState

if TYPE_CHECKING:
    from lpad.simulator.smdp.functions.function_call import Call
    from lpad.simulator.smdp.functions.server_context import ServerContext

_RESPONSE = 0xBF41
_REJECTED, _POSTPONED, _TIMEOUT = 0, 1, 2
_REASONS = {
    0: "end user rejection",
    1: "postponed",
    2: "timeout",
    3: "policy rules not allowed",
    4: "metadata mismatch",
    5: "load error",
    127: "undefined reason",
}


def cancel_session(site: ServerContext, call: Call) -> dict[str, str]:
    """Verify the card's signature, end the session, and update the order's state.

    Postponed and timed-out downloads can be tried again, with the same one-time key; every other
    reason ends the order.

    Raises:
        Refusal: with status code 8.10.1/3.9, 8.1/6.1, 8.8/3.10 or 1.6/2.1.
    """
    session = site.sessions.get(call.transaction_id(), SessionState.AUTHENTICATED, SessionState.BOUND)
    response = call.element("cancelSessionResponse", _RESPONSE)
    try:
        answer = response.children()[0] if response.value else response
        if answer.tag != 0xA0:
            raise Refusal(status_codes.EUICC_UNVERIFIED, subject_identifier="cancelSessionResponseError")
        signed = answer.get(0x30)
        signature = answer.get(0x5F37).value
        told = signed.get(0x80).value, object_identifier.decode(signed.get(0x81).value)
        reason = int.from_bytes(signed.get(0x82).value, "big")
    except MalformedError as error:
        raise Refusal(status_codes.INVALID_REQUEST, subject_identifier="cancelSessionResponse") from error
    if session.euicc is None or not session.euicc.signed(signature, signed.raw):
        raise Refusal(status_codes.EUICC_UNVERIFIED, subject_identifier="euiccCancelSessionSignature")
    if told[0] != session.transaction_id:
        raise Refusal(status_codes.UNKNOWN_TRANSACTION)
    if told[1] != session.dp_auth.oid:
        raise Refusal(status_codes.OTHER_SERVER, subject_identifier=told[1])
    site.sessions.end(session)
    words = _REASONS.get(reason, f"reason {reason}")
    if reason in (_POSTPONED, _TIMEOUT):
        site.orders.change(session.order_id, state=OrderState.RELEASED, reason=words)
    else:
        ended = OrderState.CANCELLED if reason == _REJECTED else OrderState.ERROR
        order = site.orders.change(session.order_id, state=ended, reason=words)
        site.orders.forget_binding(order)
    return {}
