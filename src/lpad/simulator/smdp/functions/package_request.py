"""ES9+.GetBoundProfilePackage (SGP.22 v2.5, 5.6.2): confirmation code checked, package bound."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.base.errors import MalformedError
from lpad.simulator.smdp.functions import status_codes
from lpad.simulator.smdp.functions.damaged_package import damaged
from lpad.simulator.smdp.functions.function_call import Call, encoded
from lpad.simulator.smdp.functions.package_building import Contents, bind, bind_again
from lpad.simulator.smdp.functions.sessions import Session, SessionState
from lpad.simulator.smdp.functions.status_codes import Refusal
from lpad.simulator.smdp.store.order import Binding, Order, OrderState, confirmed_by

if TYPE_CHECKING:
    from lpad.codec.asn1.tlv import Tlv
    from lpad.simulator.smdp.functions.server_context import ServerContext

_RESPONSE = 0xBF21
_OTPK_LENGTH = 65


def get_bound_profile_package(site: ServerContext, call: Call) -> dict[str, str]:
    """Verify the card's one-time key and the confirmation code, and bind the profile.

    A wrong code within the limit leaves the session open, because some LPAs ask again in the same session;
    other LPAs start a new session. After success the call may be repeated, because its answer may have been
    lost.

    Raises:
        Refusal: with status code 8.10.1/3.9, 8.1/6.1, 8.2.7 with 2.2, 3.8 or 6.4, 8.8.5/4.10 or 1.6/2.1.
    """
    session = site.sessions.get(call.transaction_id(), SessionState.AUTHENTICATED, SessionState.BOUND)
    response = call.element("prepareDownloadResponse", _RESPONSE)
    try:
        euicc_otpk, hash_cc = _verify_card(session, response)
    except MalformedError as error:
        raise Refusal(status_codes.INVALID_REQUEST, subject_identifier="prepareDownloadResponse") from error
    order = site.orders.get(session.order_id)
    if order.expired:
        site.sessions.end(session)
        raise Refusal(status_codes.ORDER_EXPIRED)
    if session.confirmation_required:
        _check_code(site, session, order, hash_cc)
    package = _package(site, session, order, euicc_otpk)
    # From here on the profile belongs to this card, because no other card can decrypt the package.
    eid = session.eid.digits if session.eid else None
    site.orders.change(order.id, state=OrderState.DOWNLOADED, eid=eid)
    session.state = SessionState.BOUND
    sent = damaged(call.faults, package, dp_pb=session.dp_pb, euicc_otpk=euicc_otpk)
    return {
        "transactionId": session.transaction_id.hex().upper(),
        "boundProfilePackage": encoded(sent),
    }


def _verify_card(session: Session, response: Tlv) -> tuple[bytes, bytes | None]:
    """Return the card's one-time key and the hash of the confirmation code; None: the card sent no hash."""
    answer = response.children()[0] if response.value else response
    if answer.tag != 0xA0:
        raise Refusal(status_codes.EUICC_UNVERIFIED, subject_identifier="downloadResponseError")
    signed2 = answer.get(0x30)
    euicc = session.euicc
    if euicc is None or not euicc.signed(answer.get(0x5F37).value, signed2.raw + session.smdp_signature2):
        raise Refusal(status_codes.EUICC_UNVERIFIED, subject_identifier="euiccSignature2")
    if signed2.get(0x80).value != session.transaction_id:
        raise Refusal(status_codes.UNKNOWN_TRANSACTION)
    hash_cc = signed2.find(0x04)
    return signed2.get(0x5F49).value, hash_cc.value if hash_cc else None


def _check_code(site: ServerContext, session: Session, order: Order, hash_cc: bytes | None) -> None:
    if order.confirmation_failures >= order.confirmation_limit:
        raise Refusal(status_codes.CODE_EXCEEDED)
    if hash_cc is None:
        raise Refusal(status_codes.CODE_MISSING)
    if confirmed_by(order, session.transaction_id, hash_cc):
        return
    failures = order.confirmation_failures + 1
    site.orders.change(order.id, confirmation_failures=failures)
    if failures < order.confirmation_limit:
        raise Refusal(status_codes.CODE_REFUSED)
    site.orders.change(order.id, state=OrderState.ERROR, reason="confirmation codes exceeded")
    site.sessions.end(session)
    raise Refusal(status_codes.CODE_EXCEEDED)


def _package(site: ServerContext, session: Session, order: Order, euicc_otpk: bytes) -> bytes:
    """Return the earlier package if the card used the same one-time key, otherwise a new one."""
    known = site.orders.binding(order)
    same_key = known is not None and known.euicc_otpk == euicc_otpk
    if known is not None and same_key and known.suits(session.metadata, session.dp_pb.key_id):
        return bind_again(
            known.package,
            dp_pb=session.dp_pb,
            transaction_id=session.transaction_id,
            euicc_otpk=euicc_otpk,
        )
    contents = Contents(
        profile=site.orders.profile(order),
        metadata=session.metadata,
        metadata_piece=order.metadata_piece,
        profile_piece=order.profile_piece,
        replace_session_keys=order.replace_session_keys,
    )
    try:
        package = bind(
            contents,
            dp_pb=session.dp_pb,
            transaction_id=session.transaction_id,
            euicc_otpk=euicc_otpk,
            eid=bytes(session.eid) if session.eid else b"",
        )
    except ValueError as error:  # not a point of the curve
        raise Refusal(status_codes.INVALID_REQUEST, subject_identifier="euiccOtpk") from error
    binding = Binding(
        euicc_otpk=euicc_otpk, package=package, metadata=session.metadata, dp_pb=session.dp_pb.key_id
    )
    site.orders.keep_binding(order, binding)
    return package
