"""ES9+.AuthenticateClient (SGP.22 v2.5, 5.6.3): the card proves its identity, the server finds the order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lpad.base.errors import MalformedError
from lpad.base.identifiers import swap_nibbles
from lpad.codec.asn1 import tlv
from lpad.simulator.smdp.functions import faulty_answers, status_codes
from lpad.simulator.smdp.functions.card_certificates import verify_chain
from lpad.simulator.smdp.functions.faults import FaultKind
from lpad.simulator.smdp.functions.function_call import Call, encoded
from lpad.simulator.smdp.functions.sessions import Session, SessionState
from lpad.simulator.smdp.functions.status_codes import Refusal
from lpad.simulator.smdp.store.cards_by_transaction import Transaction
from lpad.simulator.smdp.store.order import Order, OrderState
from lpad.simulator.smdp.store.profile_metadata import bits_of

if TYPE_CHECKING:
    from lpad.base.identifiers import Eid
    from lpad.codec.asn1.tlv import Tlv
    from lpad.simulator.pki.credential import Credential
    from lpad.simulator.smdp.functions.server_context import ServerContext

_RESPONSE = 0xBF38
_INFO2 = 0xBF22
_FREE_MEMORY = 0x82


@dataclass(frozen=True, slots=True)
class CardAnswer:
    """The card's answer to AuthenticateServer, with the signed parts as they arrived."""

    signed1: Tlv
    signature: Tlv
    euicc_certificate: bytes
    eum_certificate: bytes

    @classmethod
    def read(cls, response: Tlv) -> CardAnswer:
        """Parse element BF38.

        Raises:
            MalformedError: a part is missing.
            Refusal: the card refused to authenticate (8.1/6.1).
        """
        answer = response.children()[0] if response.value else response
        if answer.tag == 0xA1:
            raise Refusal(status_codes.EUICC_UNVERIFIED, subject_identifier="authenticateResponseError")
        sequences = [one for one in answer.children() if one.tag == 0x30]
        if answer.tag != 0xA0 or len(sequences) < 3:
            raise MalformedError("element BF38 lacks the signed part or the certificates")
        return cls(sequences[0], answer.get(0x5F37), sequences[1].raw, sequences[2].raw)


@dataclass(frozen=True, slots=True)
class Device:
    """The device's data in the card's answer, by which the server finds and checks the order."""

    matching_id: str
    tacs: frozenset[str]
    free_memory: int | None
    forbidden_rules: frozenset[int]

    @classmethod
    def read(cls, signed1: Tlv) -> Device:
        """Read ctxParams1 and EUICCInfo2; missing data is None or empty.

        Raises:
            MalformedError: an element is truncated, or EUICCInfo2 is missing.
        """
        context = signed1.find(0xA0)
        matching = context.find(0x80) if context else None
        info = context.find(0xA1) if context else None
        tac = info.find(0x80) if info else None
        info2 = signed1.get(_INFO2)
        resource = info2.find(0x84)
        forbidden = info2.find(0x99)
        return cls(
            matching_id=matching.value.decode("utf-8", "replace") if matching else "",
            tacs=_tacs(tac.value) if tac else frozenset(),
            free_memory=_free_memory(resource.value) if resource else None,
            forbidden_rules=bits_of(forbidden.value) if forbidden else frozenset(),
        )


def authenticate_client(site: ServerContext, call: Call) -> dict[str, str]:
    """Verify the card and answer with the metadata of its order; any refusal ends the session.

    Raises:
        Refusal: as SGP.22 v2.5, 5.6.3 lists.
    """
    session = site.sessions.get(call.transaction_id(), SessionState.INITIATED)
    try:
        return _authenticate(site, call, session)
    except Refusal:
        site.sessions.end(session)
        raise


def verified_card(call: Call, session: Session) -> tuple[CardAnswer, Eid, Device]:
    """Verify the card's answer; return it with the EID and the device's data.

    Raises:
        Refusal: the card cannot be verified, or the request is malformed.
    """
    response = call.element("authenticateServerResponse", _RESPONSE)
    try:
        answer = CardAnswer.read(response)
        return answer, _verify_card(session, answer), Device.read(answer.signed1)
    except MalformedError as error:
        raise Refusal(
            status_codes.INVALID_REQUEST, subject_identifier="authenticateServerResponse"
        ) from error


def _authenticate(site: ServerContext, call: Call, session: Session) -> dict[str, str]:
    answer, eid, device = verified_card(call, session)
    order = _find_order(site, device, eid)
    order = site.orders.change(
        order.id,
        attempts=order.attempts + 1,
        transaction_id=session.transaction_id.hex(),
    )
    site.transactions.keep(
        session.transaction_id,
        Transaction(order_id=order.id, eid=eid.digits, euicc=answer.euicc_certificate),
    )
    session.order_id = order.id
    session.metadata = order.metadata.encode(str(site.addresses[0]))
    session.confirmation_required = order.confirmation_hash is not None
    signer = _signer(site, call, session)
    signed2 = _signed2(site, call, session, order)
    signature2 = tlv.encode(0x5F37, signer.sign(signed2 + answer.signature.raw))
    session.smdp_signature2 = signature2
    session.state = SessionState.AUTHENTICATED
    return {
        "transactionId": session.transaction_id.hex().upper(),
        "profileMetadata": encoded(session.metadata),
        "smdpSigned2": encoded(signed2),
        "smdpSignature2": encoded(signature2),
        "smdpCertificate": encoded(signer.der),
    }


def _verify_card(session: Session, answer: CardAnswer) -> Eid:
    """Check the card's chain, signature, transaction and challenge; store its identity."""
    euicc, eid = verify_chain(answer.euicc_certificate, answer.eum_certificate, session.ci)
    if not euicc.signed(answer.signature.value, answer.signed1.raw):
        raise Refusal(status_codes.EUICC_UNVERIFIED, subject_identifier="euiccSignature1")
    if answer.signed1.get(0x80).value != session.transaction_id:
        raise Refusal(status_codes.UNKNOWN_TRANSACTION)
    if answer.signed1.get(0x84).value != session.server_challenge:
        raise Refusal(status_codes.EUICC_UNVERIFIED, subject_identifier="serverChallenge")
    session.euicc, session.eid = euicc, eid
    return eid


def _find_order(site: ServerContext, device: Device, eid: Eid) -> Order:
    order = site.orders.find(device.matching_id, eid)
    if order is None or order.state in (OrderState.INSTALLED, OrderState.CANCELLED):
        raise Refusal(status_codes.MATCHING_ID_REFUSED, subject_identifier=device.matching_id)
    if order.eid not in (None, eid.digits):
        raise Refusal(status_codes.EID_REFUSED, subject_identifier=eid.digits)
    if order.expired:
        raise Refusal(status_codes.ORDER_EXPIRED)
    if order.attempts >= order.attempt_limit:
        site.orders.change(order.id, state=OrderState.ERROR, reason="attempts exceeded")
        raise Refusal(status_codes.ATTEMPTS_EXCEEDED)
    if order.state is OrderState.ERROR:
        raise Refusal(status_codes.MATCHING_ID_REFUSED, subject_identifier=device.matching_id)
    if order.state is OrderState.CONFIRMED:
        raise Refusal(status_codes.NOT_RELEASED)
    if order.tacs and not device.tacs.intersection(order.tacs):
        raise Refusal(status_codes.NOT_ELIGIBLE, subject_identifier="tac")
    if device.forbidden_rules.intersection(order.metadata.rules):
        raise Refusal(status_codes.NOT_ELIGIBLE, subject_identifier="forbiddenProfilePolicyRules")
    size = len(site.orders.profile(order))
    if site.check_memory and device.free_memory is not None and device.free_memory < size:
        raise Refusal(status_codes.INSUFFICIENT_MEMORY)
    return order


def _signed2(site: ServerContext, call: Call, session: Session, order: Order) -> bytes:
    """Build smdpSigned2; a card that has begun this download before may use its one-time key again."""
    parts = [
        tlv.encode(0x80, faulty_answers.transaction_id(call.faults, session.transaction_id)),
        tlv.encode(0x01, b"\xff" if session.confirmation_required else b"\x00"),
    ]
    binding = site.orders.binding(order)
    if binding is not None and binding.suits(session.metadata, session.dp_pb.key_id):
        parts.append(tlv.encode(0x5F49, binding.euicc_otpk))
    return tlv.encode(0x30, *parts)


def _signer(site: ServerContext, call: Call, session: Session) -> Credential:
    if FaultKind.OTHER_OID in call.faults:
        return site.pki.dp2_pb[session.dp_pb.curve]
    return session.dp_auth if FaultKind.OTHER_ROLE in call.faults else session.dp_pb


def _free_memory(resource: bytes) -> int | None:
    """Return the free bytes in extCardResource (ETSI TS 102 226, 8.2.1.7.2); None if it is unreadable."""
    try:
        told = [one.value for one in tlv.parse_all(resource) if one.tag == _FREE_MEMORY]
    # Some real cards put other data into this field, which is not a reason to refuse them.
    except MalformedError:
        return None
    return int.from_bytes(told[0], "big") if told else None


def _tacs(tac: bytes) -> frozenset[str]:
    """Return a TAC's digits in both orders, because some LPAs do not swap the nibbles."""
    return frozenset({tac[:4].hex(), swap_nibbles(tac[:4]).hex()})
