"""The faults of the simulated SM-DP+, and their effects on its answers."""

from __future__ import annotations

import base64
import binascii
import http.client
import json
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509

from lpad.base.errors import MalformedError
from lpad.codec.asn1 import tlv
from lpad.simulator.pki.credential import Credential, Curve, authority_key_id, issued_by, registered_id
from lpad.simulator.profile_package.bsp import BspSecurityError
from lpad.simulator.smdp.functions.faults import Fault, FaultKind
from lpad.simulator.smdp.store.order import OrderState
from simulator.smdp.bench import SCHEMA, Connection, Visit, decoded, status_of

if TYPE_CHECKING:
    from lpad.simulator.pki.pki import Pki

INITIATE = "initiateAuthentication"
AUTHENTICATE = "authenticateClient"
GET_PACKAGE = "getBoundProfilePackage"
NOTIFY = "handleNotification"


def fault(visit: Visit, kind: FaultKind, function: str | None = None, value: Any = None) -> None:
    """Add a fault to the server's plan."""
    visit.smdp.faults.add(Fault(kind=kind, function=function, value=value))


@pytest.mark.parametrize("kind", [FaultKind.DROP_BEFORE, FaultKind.DROP_AFTER])
def test_connection_is_cut(visit: Visit, profile: bytes, kind: FaultKind) -> None:
    """The connection is cut; the fault's kind decides whether the request counts as an attempt."""
    order = visit.smdp.orders.add_order(profile)
    visit.initiate()
    fault(visit, kind)
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError, OSError)):
        visit.authenticate(order.matching_id)
    visit.connection.close()
    assert visit.smdp.orders.get(order.id).attempts == (1 if kind is FaultKind.DROP_AFTER else 0)
    assert status_of(visit.up_to_metadata(order.matching_id)) == "Executed-Success"


def test_answer_is_late(visit: Visit) -> None:
    """The answer after a delay is the usual one."""
    fault(visit, FaultKind.DELAY, value=0.01)
    assert status_of(visit.initiate()) == "Executed-Success"


@pytest.mark.parametrize(
    ("kind", "value", "status", "body"),
    [
        (FaultKind.HTTP_STATUS, 503, 503, b""),
        (FaultKind.REDIRECT, "https://other.example.com/", 302, b""),
        (FaultKind.BODY_MALFORMED, None, 200, b'{"header":{"functionExecutionStatus":'),
        (FaultKind.BODY_EMPTY, None, 200, b""),
        (FaultKind.BODY_SUCCESS, None, 200, None),
        (FaultKind.BODY_HTML, None, 200, None),
    ],
)
def test_http_answer_is_another(
    visit: Visit, kind: FaultKind, value: Any, status: int, body: bytes | None
) -> None:
    """HTTP status, redirect and body are those of the fault, and the connection can still be used."""
    fault(visit, kind, NOTIFY, value)
    sent = json.dumps({"pendingNotification": "AA=="}).encode()
    if kind is FaultKind.BODY_SUCCESS:
        notification = visit.card.installation_result(bytes(16), "x")
        sent = json.dumps({"pendingNotification": base64.b64encode(notification).decode()}).encode()
    response = visit.connection.post(NOTIFY, sent)
    received = response.read()
    assert response.status == status
    assert received == body if body is not None else received
    assert response.headers["Location"] == (value if kind is FaultKind.REDIRECT else None)
    if kind is FaultKind.BODY_HTML:
        assert response.headers["Content-Type"] == "text/html"
    assert status_of(visit.initiate()) == "Executed-Success"


def test_body_is_cut_short(visit: Visit) -> None:
    """A truncated body cannot be read completely."""
    fault(visit, FaultKind.BODY_TRUNCATED)
    with pytest.raises((http.client.IncompleteRead, OSError)):
        visit.initiate()
    visit.connection.close()


def test_body_is_oversized(visit: Visit) -> None:
    """An oversized body is valid JSON with more bytes than requested."""
    fault(visit, FaultKind.BODY_OVERSIZED, value=100_000)
    response = visit.connection.post(INITIATE, b"{}")
    body = response.read()
    assert len(body) > 100_000
    assert status_of(json.loads(body)) == "1.6/2.1"


def test_refusal_of_any_code(visit: Visit) -> None:
    """The server can refuse with any status code."""
    fault(visit, FaultKind.REFUSE, value="8.8.5/4.10")
    assert status_of(visit.initiate()) == "8.8.5/4.10"


@pytest.mark.parametrize("word", ["ExecutedSuccess", "Executed-WithWarning"])
def test_status_word_is_another(visit: Visit, word: str) -> None:
    """The status of an answer can be another word for success."""
    fault(visit, FaultKind.STATUS, value=word)
    assert status_of(visit.initiate()) == word


def test_transaction_id_in_json_is_wrong(visit: Visit) -> None:
    """With WRONG_TRANSACTION_ID, the transaction ID in JSON differs from the signed one."""
    fault(visit, FaultKind.WRONG_TRANSACTION_ID)
    answer = visit.initiate()
    signed = decoded("ServerSigned1", answer["serverSigned1"])
    assert bytes.fromhex(answer["transactionId"]) != signed["transactionId"]


def test_transaction_id_in_json_is_lower_case(visit: Visit, profile: bytes) -> None:
    """A transaction ID in lower case is accepted until the package."""
    order = visit.smdp.orders.add_order(profile)
    visit.smdp.faults.add(Fault(kind=FaultKind.LOWER_CASE_TRANSACTION_ID, times=0))
    visit.up_to_package(order.matching_id)
    assert visit.initiated["transactionId"] == visit.transaction_id.hex()


def test_a_lower_case_transaction_id_is_accepted_in_a_cancellation(visit: Visit, profile: bytes) -> None:
    """A session whose transaction ID is in lower case can be cancelled by this ID."""
    order = visit.smdp.orders.add_order(profile)
    visit.smdp.faults.add(Fault(kind=FaultKind.LOWER_CASE_TRANSACTION_ID, times=0))
    visit.initiate()
    visit.authenticate(order.matching_id)
    visit.cancel(0)
    assert visit.initiated["transactionId"] == visit.transaction_id.hex()


@pytest.mark.parametrize(
    ("value", "missing"), [("serverSigned1", "serverSigned1"), (None, "serverCertificate")]
)
def test_field_is_missing(visit: Visit, value: str | None, missing: str) -> None:
    """With FIELD_MISSING, the answer lacks the fault's field, or by default serverCertificate."""
    fault(visit, FaultKind.FIELD_MISSING, value=value)
    assert missing not in visit.initiate()


def test_base64_is_unusual_but_right(visit: Visit, pki: Pki) -> None:
    """With BASE64_NEWLINES, base64 has line breaks; with BASE64_UNPADDED, it has no padding."""
    fault(visit, FaultKind.BASE64_NEWLINES)
    wrapped = visit.initiate()["serverCertificate"]
    fault(visit, FaultKind.BASE64_UNPADDED)
    unpadded = visit.initiate()["euiccCiPKIdToBeUsed"]
    assert "\n" in wrapped
    assert issued_by(
        x509.load_der_x509_certificate(base64.b64decode(wrapped)), pki.ci[Curve.NIST].certificate
    )
    assert not unpadded.endswith("=")


def test_base64_is_broken(visit: Visit) -> None:
    """Broken base64 cannot be decoded strictly."""
    fault(visit, FaultKind.BASE64_BROKEN, value="serverSigned1")
    with pytest.raises(binascii.Error):
        base64.b64decode(visit.initiate()["serverSigned1"], validate=True)


def test_der_is_broken(visit: Visit) -> None:
    """A field with broken DER cannot be decoded."""
    fault(visit, FaultKind.DER_BROKEN, value="serverSigned1")
    with pytest.raises(MalformedError):
        decoded("ServerSigned1", visit.initiate()["serverSigned1"])


def test_metadata_is_not_what_the_package_says(visit: Visit, pki: Pki, profile: bytes) -> None:
    """With METADATA_MISMATCH, the profile names in authenticateClient's answer and in the package differ."""
    order = visit.smdp.orders.add_order(profile)
    fault(visit, FaultKind.METADATA_MISMATCH, AUTHENTICATE)
    opened = visit.card.load(visit.up_to_package(order.matching_id), pki.dp_pb[Curve.NIST])
    shown = decoded("StoreMetadataRequest", visit.authenticated["profileMetadata"])
    bound = SCHEMA.decode("StoreMetadataRequest", b"".join(opened["metadataPieces"]))
    assert shown["profileName"] != bound["profileName"]
    assert shown | {"profileName": ""} == bound | {"profileName": ""}


def _signature_is_right(visit: Visit, certificate: x509.Certificate) -> bool:
    return Credential(certificate).signed(
        decoded("Signature", visit.initiated["serverSignature1"]),
        base64.b64decode(visit.initiated["serverSigned1"]),
    )


def _certificate(visit: Visit) -> x509.Certificate:
    return x509.load_der_x509_certificate(base64.b64decode(visit.initiated["serverCertificate"]))


@pytest.mark.parametrize(
    ("kind", "value", "member", "right"),
    [
        (FaultKind.SIGNED_ADDRESS, "other.example.com", "serverAddress", "other.example.com"),
        (FaultKind.SIGNED_TRANSACTION_ID, None, "transactionId", None),
        (FaultKind.SIGNED_CHALLENGE, None, "euiccChallenge", None),
    ],
)
def test_signed_part_is_wrong_but_signed_right(
    visit: Visit, kind: FaultKind, value: Any, member: str, right: str | None
) -> None:
    """A wrong field in the signed part is covered by a right signature."""
    fault(visit, kind, INITIATE, value)
    visit.initiate()
    signed = decoded("ServerSigned1", visit.initiated["serverSigned1"])
    expected = {"transactionId": visit.transaction_id, "euiccChallenge": visit.card.challenge}
    assert signed[member] == right if right else signed[member] != expected[member]
    assert _signature_is_right(visit, _certificate(visit))


def test_signature_is_wrong(visit: Visit) -> None:
    """With BAD_SIGNATURE, serverSignature1 does not fit the certificate and the content."""
    fault(visit, FaultKind.BAD_SIGNATURE)
    visit.initiate()
    assert not _signature_is_right(visit, _certificate(visit))


def test_certificate_is_not_signed_by_its_ci(visit: Visit, pki: Pki) -> None:
    """With BAD_CERTIFICATE, the certificate is not signed by the CI, but its key signed serverSigned1."""
    fault(visit, FaultKind.BAD_CERTIFICATE)
    visit.initiate()
    certificate = _certificate(visit)
    assert _signature_is_right(visit, certificate)
    assert not issued_by(certificate, pki.ci[Curve.NIST].certificate)


def test_another_server_of_the_ci_answers(visit: Visit, pki: Pki) -> None:
    """With OTHER_OID, a certificate of another OID under the CI is used; the signature is right."""
    fault(visit, FaultKind.OTHER_OID)
    visit.initiate()
    certificate = _certificate(visit)
    assert registered_id(certificate) == "2.999.12"
    assert issued_by(certificate, pki.ci[Curve.NIST].certificate)
    assert _signature_is_right(visit, certificate)


def test_another_role_signs(visit: Visit, pki: Pki, profile: bytes) -> None:
    """With OTHER_ROLE, DPpb's certificate is used for authentication, and DPauth's for the package."""
    order = visit.smdp.orders.add_order(profile)
    visit.smdp.faults.add(Fault(kind=FaultKind.OTHER_ROLE, times=0))
    visit.up_to_metadata(order.matching_id)
    assert base64.b64decode(visit.initiated["serverCertificate"]) == pki.dp_pb[Curve.NIST].der
    assert base64.b64decode(visit.authenticated["smdpCertificate"]) == pki.dp_auth[Curve.NIST].der


def test_unknown_ci_issued_the_certificate(visit: Visit, pki: Pki) -> None:
    """With UNKNOWN_CI, the certificate is from an unknown CI, and its key signed serverSigned1."""
    fault(visit, FaultKind.UNKNOWN_CI)
    visit.initiate()
    certificate = _certificate(visit)
    assert authority_key_id(certificate) not in {ci.key_id for ci in pki.ci.values()}
    assert _signature_is_right(visit, certificate)


def test_the_signing_ci_is_not_one_of_the_cards(visit: Visit) -> None:
    """With OTHER_SIGNING_CI, the chosen CI is not in the card's list for signing."""
    fault(visit, FaultKind.OTHER_SIGNING_CI)
    chosen = decoded("SubjectKeyIdentifier", visit.initiate()["euiccCiPKIdToBeUsed"])
    assert chosen not in visit.card.signing


def _package(visit: Visit, profile: bytes, kind: FaultKind, value: Any = None) -> bytes:
    order = visit.smdp.orders.add_order(profile)
    fault(visit, kind, GET_PACKAGE, value)
    return visit.up_to_package(order.matching_id)


def test_one_bit_of_the_package_is_wrong(visit: Visit, pki: Pki, profile: bytes) -> None:
    """With BPP_BIT_FLIP, one piece of the package has a wrong MAC, and the pieces before it are valid."""
    package = _package(visit, profile, FaultKind.BPP_BIT_FLIP, 2)
    with pytest.raises(BspSecurityError, match="element 4"):  # after 87, 88 and the first 86
        visit.card.load(package, pki.dp_pb[Curve.NIST])


def test_retry_after_a_damaged_package_gets_the_right_one(visit: Visit, pki: Pki, profile: bytes) -> None:
    """After a damaged package, the next session gets the right one."""
    order = visit.smdp.orders.add_order(profile)
    fault(visit, FaultKind.BPP_BIT_FLIP, GET_PACKAGE)
    visit.up_to_package(order.matching_id)
    opened = visit.card.load(visit.up_to_package(order.matching_id), pki.dp_pb[Curve.NIST])
    assert b"".join(opened["profilePieces"]) == profile
    assert visit.smdp.orders.get(order.id).state is OrderState.DOWNLOADED


@pytest.mark.parametrize("kind", [FaultKind.BPP_OUTER_LENGTH, FaultKind.BPP_TRAILING_BYTES])
def test_package_and_its_length_disagree(visit: Visit, profile: bytes, kind: FaultKind) -> None:
    """A package with a wrong length, or with additional bytes, cannot be parsed."""
    with pytest.raises(MalformedError):
        tlv.parse(_package(visit, profile, kind))


@pytest.mark.parametrize(
    ("kind", "tag"), [(FaultKind.BPP_NO_METADATA, 0xA1), (FaultKind.BPP_NO_PROFILE, 0xA3)]
)
def test_package_lacks_an_element(visit: Visit, profile: bytes, kind: FaultKind, tag: int) -> None:
    """With a fault of its kind, such as BPP_NO_PROFILE, the package lacks one element and can be parsed."""
    package = tlv.parse(_package(visit, profile, kind))
    assert package.find(tag) is None
    assert package.find(0xA0) is not None


@pytest.mark.parametrize(
    ("kind", "signed"),
    [
        (FaultKind.BPP_SIGNATURE, False),
        (FaultKind.BPP_TRANSACTION_ID, True),
        (FaultKind.BPP_OPERATION, True),
        (FaultKind.BPP_KEY_TYPE, True),
    ],
)
def test_first_element_of_the_package_is_wrong(
    visit: Visit, pki: Pki, profile: bytes, kind: FaultKind, *, signed: bool
) -> None:
    """In the package's first element, the signature is wrong, or another field is wrong but signed."""
    channel = tlv.parse(_package(visit, profile, kind)).get(0xBF23)
    told = SCHEMA.decode("InitialiseSecureChannelRequest", channel.raw)
    *fields, signature = channel.children()
    over = b"".join(one.raw for one in fields) + tlv.encode(0x5F49, visit.card.otpk())
    assert pki.dp_pb[Curve.NIST].signed(signature.value, over) is signed
    wrong = {
        FaultKind.BPP_SIGNATURE: not signed,
        FaultKind.BPP_TRANSACTION_ID: told["transactionId"] != visit.transaction_id,
        FaultKind.BPP_OPERATION: told["remoteOpId"] != 1,
        FaultKind.BPP_KEY_TYPE: told["controlRefTemplate"]["keyType"] != b"\x88",
    }
    assert wrong[kind]


def test_faults_of_one_function_leave_the_others_alone(connection: Connection, visit: Visit) -> None:
    """A fault of one function does not affect another function, and waits for its own."""
    fault(visit, FaultKind.HTTP_STATUS, "cancelSession", 500)
    assert status_of(visit.initiate()) == "Executed-Success"
    response = connection.post("cancelSession", b"{}")
    response.read()
    assert response.status == 500
