"""The simulated card's session: challenge, server authentication, preparation, cancellation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from lpad.base.identifiers import Eid
from lpad.codec.asn1 import tlv
from lpad.simulator.euicc.card import SoftCard
from lpad.simulator.pki import certificate_making
from lpad.simulator.pki.credential import Credential, Curve, authority_key_id
from lpad.simulator.pki.pki import Pki
from simulator.euicc.small_lpa import SCHEMA, SmallLpa, StatusError
from simulator.euicc.small_server import CTX_PARAMS, SmallServer, final_result

if TYPE_CHECKING:
    from pathlib import Path

    from simulator.euicc.conftest import MakeCard

EVERY_FIELD = SCHEMA.encode(
    "CtxParams1",
    (
        "ctxParamsForCommonAuthentication",
        {
            "matchingId": "ABC-1",
            "deviceInfo": {
                "tac": bytes(4),
                "deviceCapabilities": {},
                "imei": bytes(8),
                "preferredLanguages": ["de"],
            },
            "operationType": (b"\x80", 1),
        },
    ),
)


def card_credential(value: dict[str, Any]) -> Credential:
    return Credential(x509.load_der_x509_certificate(value["euiccCertificate"]))


@pytest.mark.parametrize("curve", Curve)
def test_the_card_signs_for_the_requested_ci(lpa: SmallLpa, pki: Pki, curve: Curve) -> None:
    """The card signs the server's data and its own EUICCInfo2 with its chain under the requested CI."""
    server = SmallServer(pki, curve)
    kind, value = server.authenticate(lpa)
    assert kind == "authenticateResponseOk"
    own = card_credential(value)
    assert own.signed(value["euiccSignature1"], value["euiccSigned1"])
    eum = Credential(x509.load_der_x509_certificate(value["eumCertificate"]))
    own.certificate.verify_directly_issued_by(eum.certificate)
    assert authority_key_id(eum.certificate) == pki.ci[curve].key_id
    signed = SCHEMA.decode("EuiccSigned1", value["euiccSigned1"])
    assert signed["transactionId"] == server.transaction_id
    assert signed["serverAddress"] == server.address
    assert signed["serverChallenge"] == server.challenge
    assert signed["ctxParams1"] == CTX_PARAMS
    assert signed["euiccInfo2"] == lpa.call("GetEuiccInfo2Request", {}, "EUICCInfo2")


@pytest.mark.test_data
def test_published_certificates_authenticate_a_server(test_data: Path, tmp_path: Path) -> None:
    """A card made from SGP.26's own certificates accepts SGP.26's servers on both curves."""
    pki = Pki.open(test_data / "sgp26", minted=tmp_path / "minted")
    with SoftCard(tmp_path / "card", pki=pki, eid=Eid("89049032123451234512345678901235")) as card:
        lpa = SmallLpa(card)
        nist = pki.ci[Curve.NIST].key_id
        for curve in Curve:  # SGP.26 has no brainpool EUM, so the card signs for the NIST CI
            kind, value = SmallServer(pki, curve).authenticate(lpa, ci=nist)
            assert kind == "authenticateResponseOk", value
        assert SmallServer(pki).download(lpa)[0] == "successResult"


@pytest.mark.parametrize("role", ["dp_pb", "eum"])
def test_another_role_is_refused(lpa: SmallLpa, server: SmallServer, pki: Pki, role: str) -> None:
    """A certificate whose role is not server authentication is refused."""
    certificate = getattr(pki, role)[Curve.NIST]
    kind, value = server.authenticate(lpa, certificate=certificate)
    assert kind == "authenticateResponseError"
    # An EUM's key usage forbids signed messages, which the card checks before the role.
    assert value["authenticateErrorCode"] == (5 if role == "dp_pb" else 1)


def test_a_wrong_signature_leads_to_its_code(lpa: SmallLpa, server: SmallServer) -> None:
    """A wrong serverSignature1 leads to invalidSignature (2), with the transaction ID."""
    kind, value = server.authenticate(lpa, bad_signature=True)
    assert (kind, value) == (
        "authenticateResponseError",
        {"transactionId": server.transaction_id, "authenticateErrorCode": 2},
    )


def test_an_unknown_ci_leads_to_its_code(lpa: SmallLpa, server: SmallServer) -> None:
    """A server certificate from a CI that the card does not know leads to code 7."""
    stranger = certificate_making.make_ci(Curve.NIST)
    own = certificate_making.make_dp(stranger, certificate_making.ROLE_DP_AUTH, oid="2.999.10")
    _, value = server.authenticate(lpa, certificate=own)
    assert value["authenticateErrorCode"] == 7


def test_no_key_for_ci(make_card: MakeCard, server: SmallServer, pki: Pki) -> None:
    """A requested CI under which the card has no certificate leads to ciPKUnknown (7)."""
    lpa = SmallLpa(make_card(signing_curves=(Curve.NIST,)))
    _, value = server.authenticate(lpa, ci=pki.ci[Curve.BRAINPOOL].key_id)
    assert value["authenticateErrorCode"] == 7


def test_an_authentication_needs_a_challenge_of_its_own(lpa: SmallLpa, server: SmallServer) -> None:
    """An authentication before GetEuiccChallenge, or with a used challenge, gets noSession (4)."""

    def code(challenge: bytes) -> int:
        answer = lpa.command(server.authenticate_request(challenge))
        kind, value = SCHEMA.decode("AuthenticateServerResponse", answer)
        return int(value["authenticateErrorCode"]) if kind == "authenticateResponseError" else 0

    assert code(bytes(16)) == 4
    challenge = lpa.call("GetEuiccChallengeRequest", {}, "GetEuiccChallengeResponse")["euiccChallenge"]
    assert code(challenge) == 0
    assert code(challenge) == 4


def test_another_challenge_leads_to_its_code(lpa: SmallLpa, server: SmallServer) -> None:
    """A wrong challenge leads to euiccChallengeMismatch (6); the right one is accepted afterwards."""
    challenge = lpa.call("GetEuiccChallengeRequest", {}, "GetEuiccChallengeResponse")["euiccChallenge"]
    wrong = SCHEMA.decode("AuthenticateServerResponse", lpa.command(server.authenticate_request(bytes(16))))
    assert wrong[1]["authenticateErrorCode"] == 6
    right = SCHEMA.decode("AuthenticateServerResponse", lpa.command(server.authenticate_request(challenge)))
    assert right[0] == "authenticateResponseOk"


def test_error_ends_session(make_card: MakeCard, server: SmallServer) -> None:
    """By its habit, a card ends the session when it answers with an error."""
    lpa = SmallLpa(make_card(error_ends_session=True))
    server.authenticate(lpa, bad_signature=True)
    _, value = SCHEMA.decode(
        "AuthenticateServerResponse", lpa.command(server.authenticate_request(bytes(16)))
    )
    assert value["authenticateErrorCode"] == 4


def test_a_malformed_request_gets_a_status_word(lpa: SmallLpa) -> None:
    """A malformed request gets the status word 6A80."""
    lpa.command("BF2E00")
    for request in ("BF3800", "BF380530003000", "BF2103300030", "BF410100"):
        with pytest.raises(StatusError, match="6A80"):
            lpa.command(request)


def test_parameters_are_returned_unchanged(make_card: MakeCard, server: SmallServer) -> None:
    """The card signs ctxParams1 unchanged; by its habit, another card drops unknown fields."""

    def echoed(lpa: SmallLpa) -> Any:
        _, value = server.authenticate(lpa, ctx_params=EVERY_FIELD)
        return SCHEMA.decode("EuiccSigned1", value["euiccSigned1"])["ctxParams1"]

    assert echoed(SmallLpa(make_card())) == EVERY_FIELD
    kept = SCHEMA.decode("CtxParams1", echoed(SmallLpa(make_card(copies_unknown_parameters=False))))[1]
    assert kept == {
        "matchingId": "ABC-1",
        "deviceInfo": {"tac": bytes(4), "deviceCapabilities": {}, "imei": bytes(8)},
    }


@pytest.mark.parametrize("curve", Curve)
@pytest.mark.parametrize("hash_cc", [None, bytes(range(32))])
def test_the_one_time_key_is_on_the_certificates_curve(
    lpa: SmallLpa, pki: Pki, curve: Curve, hash_cc: bytes | None
) -> None:
    """The card's one-time key is on the server's curve, and its signature covers smdpSignature2."""
    server = SmallServer(pki, curve)
    _, authenticated = server.authenticate(lpa)
    kind, value = server.prepare(lpa, hash_cc=hash_cc)
    assert kind == "downloadResponseOk"
    covered = value["euiccSigned2"] + server.smdp_signature2
    assert card_credential(authenticated).signed(value["euiccSignature2"], covered)
    signed = SCHEMA.decode("EuiccSigned2", value["euiccSigned2"])
    assert signed["transactionId"] == server.transaction_id
    assert signed.get("hashCc") == hash_cc
    assert len(signed["euiccOtpk"]) == 65
    ec.EllipticCurvePublicKey.from_encoded_point(curve.algorithm, signed["euiccOtpk"])


def test_a_download_can_be_prepared_again(lpa: SmallLpa, server: SmallServer) -> None:
    """In one session, PrepareDownload succeeds again with another confirmation code."""
    server.authenticate(lpa)
    assert server.prepare(lpa, hash_cc=bytes(32))[0] == "downloadResponseOk"
    assert server.prepare(lpa, hash_cc=bytes(range(32)))[0] == "downloadResponseOk"


def test_prepare_without_session(lpa: SmallLpa, server: SmallServer) -> None:
    """Without an authenticated server, PrepareDownload gets the code noSession (4)."""
    assert server.prepare(lpa) == (
        "downloadResponseError",
        {"transactionId": server.transaction_id, "downloadErrorCode": 4},
    )
    lpa.command("BF2E00")
    assert server.prepare(lpa)[1]["downloadErrorCode"] == 4


def test_another_server_cannot_prepare_a_download(lpa: SmallLpa, server: SmallServer, pki: Pki) -> None:
    """PrepareDownload is refused if OID, CI, role, signature or transaction are not the session's."""
    server.authenticate(lpa)

    def code(**changed: Any) -> int:
        kind, value = server.prepare(lpa, **changed)
        assert kind == "downloadResponseError"
        return int(value["downloadErrorCode"])

    stranger = certificate_making.make_ci(Curve.NIST)
    foreign = certificate_making.make_dp(stranger, certificate_making.ROLE_DP_PB, oid="2.999.10")
    assert code(certificate=pki.dp2_pb[Curve.NIST]) == 1
    assert code(certificate=pki.dp_pb[Curve.BRAINPOOL]) == 1
    assert code(certificate=pki.dp_auth[Curve.NIST]) == 1
    assert code(certificate=foreign) == 1
    assert code(bad_signature=True) == 2
    assert code(transaction_id=b"\x99") == 5
    assert server.prepare(lpa)[0] == "downloadResponseOk"


def cancel(lpa: SmallLpa, transaction_id: bytes, reason: int) -> tuple[str, Any]:
    asked = {"transactionId": transaction_id, "reason": reason}
    kind, value = lpa.call("CancelSessionRequest", asked, "CancelSessionResponse")
    return kind, value


@pytest.mark.parametrize("reason", [0, 1, 2, 3, 4, 5, 127])
def test_a_cancelled_session_is_signed_and_forgotten(lpa: SmallLpa, server: SmallServer, reason: int) -> None:
    """CancelSession signs the transaction, the server's OID and the reason, and ends the session."""
    _, authenticated = server.authenticate(lpa)
    kind, value = cancel(lpa, server.transaction_id, reason)
    assert kind == "cancelSessionResponseOk"
    signed = value["euiccCancelSessionSigned"]
    assert card_credential(authenticated).signed(value["euiccCancelSessionSignature"], signed)
    assert SCHEMA.decode("EuiccCancelSessionSigned", signed) == {
        "transactionId": server.transaction_id,
        "smdpOid": "2.999.10",
        "reason": reason,
    }
    assert cancel(lpa, server.transaction_id, reason) == ("cancelSessionResponseError", 5)


def test_cancel_without_session(lpa: SmallLpa, server: SmallServer) -> None:
    """CancelSession with another transaction's ID, or without a session, is refused with code 5."""
    assert cancel(lpa, b"\x01", 0) == ("cancelSessionResponseError", 5)
    server.authenticate(lpa)
    assert cancel(lpa, b"\x01", 0) == ("cancelSessionResponseError", 5)
    assert cancel(lpa, server.transaction_id, 0)[0] == "cancelSessionResponseOk"


@pytest.mark.parametrize("reason", [0, 1, 2, 5])
def test_one_time_key_kept(lpa: SmallLpa, server: SmallServer, reason: int) -> None:
    """A one-time key can be used again after a postponement or timeout, but not after other reasons."""
    server.authenticate(lpa)
    server.prepare(lpa)
    first = server.euicc_point
    cancel(lpa, server.transaction_id, reason)
    lpa.card.reset()
    lpa.open()
    server.authenticate(lpa)
    server.prepare(lpa, offered=first)
    assert (server.euicc_point == first) is (reason in (1, 2))
    assert final_result(server.load(lpa))[0] == "successResult"


def test_one_time_key_used_once(lpa: SmallLpa, server: SmallServer) -> None:
    """The card does not use a one-time key again after it has received a package bound to it."""
    server.authenticate(lpa)
    server.prepare(lpa)
    first = server.euicc_point
    server.authenticate(lpa)  # the card may use the key that it prepared in the previous session
    server.prepare(lpa, offered=first)
    assert server.euicc_point == first
    server.metadata = b"\xbf\x25\x00"
    assert final_result(server.load(lpa))[0] == "errorResult"
    server.authenticate(lpa)
    server.prepare(lpa, offered=first)
    assert server.euicc_point != first


def test_one_time_key_of_another_server(lpa: SmallLpa, server: SmallServer, pki: Pki) -> None:
    """The card does not use a kept one-time key for a server other than the one it was made for."""
    server.authenticate(lpa)
    server.prepare(lpa)
    first = server.euicc_point
    server.authenticate(lpa, certificate=pki.dp2_auth[Curve.NIST])
    server.prepare(lpa, certificate=pki.dp2_pb[Curve.NIST], offered=first)
    assert server.euicc_point != first


def test_no_one_time_keys(make_card: MakeCard, server: SmallServer) -> None:
    """By its habit, a card makes another one-time key even if the server offers the previous one."""
    lpa = SmallLpa(make_card(keeps_one_time_keys=False))
    server.authenticate(lpa)
    server.prepare(lpa)
    first = server.euicc_point
    cancel(lpa, server.transaction_id, 1)
    server.authenticate(lpa)
    server.prepare(lpa, offered=first)
    assert server.euicc_point != first


def test_reset_ends_session(lpa: SmallLpa, server: SmallServer) -> None:
    """A reset of the card ends the session."""
    server.authenticate(lpa)
    lpa.card.reset()
    lpa.open()
    assert server.prepare(lpa)[1]["downloadErrorCode"] == 4


@pytest.mark.parametrize("ends", [False, True])
def test_the_habit_decides_if_a_session_outlives_its_channel(
    make_card: MakeCard,
    server: SmallServer,
    ends: bool,  # noqa: FBT001 - a table's column
) -> None:
    """The card's habit decides whether a session continues after its channel was closed."""
    lpa = SmallLpa(make_card(session_ends_with_channel=ends))
    server.authenticate(lpa)
    lpa.apdu(bytes([0, 0x70, 0x80, lpa.channel]))
    lpa.open()
    kind, _ = server.prepare(lpa)
    assert kind == ("downloadResponseError" if ends else "downloadResponseOk")


def test_server_of_version_3(lpa: SmallLpa, server: SmallServer, pki: Pki) -> None:
    """A server whose certificates have SGP.22 version 3's role OIDs is accepted."""
    ci = pki.ci[Curve.NIST]
    auth = certificate_making.make_dp(ci, "2.23.146.1.2.1.0.0.1.1", oid="2.999.231")
    binding = certificate_making.make_dp(ci, "2.23.146.1.2.1.0.0.1.2", oid="2.999.231")
    assert server.authenticate(lpa, certificate=auth)[0] == "authenticateResponseOk"
    assert server.prepare(lpa, certificate=binding)[0] == "downloadResponseOk"


def test_an_sm_ds_is_authenticated(lpa: SmallLpa, server: SmallServer, pki: Pki) -> None:
    """A server with an SM-DS's certificate is authenticated."""
    discovery = certificate_making.make_dp(pki.ci[Curve.NIST], "2.23.146.1.2.1.7", oid="2.999.15")
    assert server.authenticate(lpa, certificate=discovery)[0] == "authenticateResponseOk"


def test_ci_left_out(lpa: SmallLpa, server: SmallServer, pki: Pki) -> None:
    """Without euiccCiPKIdToBeUsed, as version 3 allows, the card signs for its first CI."""
    challenge = lpa.call("GetEuiccChallengeRequest", {}, "GetEuiccChallengeResponse")["euiccChallenge"]
    request = tlv.parse(server.authenticate_request(challenge))
    without = tlv.encode(0xBF38, *(part.raw for part in request.children() if part.tag != 0x04))
    kind, value = SCHEMA.decode("AuthenticateServerResponse", lpa.command(without))
    assert kind == "authenticateResponseOk"
    assert card_credential(value).public_key == lpa.card._chip.signers[0].euicc.public_key
    assert lpa.card._chip.signers[0].key_id == pki.ci[Curve.NIST].key_id


def test_request_of_version_3(lpa: SmallLpa, server: SmallServer, pki: Pki) -> None:
    """A card of version 2 accepts a request with version 3's additional fields."""
    challenge = lpa.call("GetEuiccChallengeRequest", {}, "GetEuiccChallengeResponse")["euiccChallenge"]
    signed = tlv.encode(
        0x30,
        tlv.encode(0x80, b"\x01"),
        tlv.encode(0x81, challenge),
        tlv.encode(0x83, server.address.encode()),
        tlv.encode(0x84, bytes(16)),
        tlv.encode(0xA5, tlv.encode(0x80, b"\x03\x01\x00"), tlv.encode(0x81, b"\x00")),
        tlv.encode(0x86, b"\x06\x40"),
        tlv.encode(0x9F1F, b"later still"),
    )
    request = tlv.encode(
        0xBF38,
        signed,
        tlv.encode(0x5F37, server.auth.sign(signed)),
        tlv.encode(0x04, pki.ci[Curve.NIST].key_id),
        server.auth.der,
        CTX_PARAMS,
        tlv.encode(0xA1, server.pb.der),
        tlv.encode(0xA2),
    )
    kind, value = SCHEMA.decode("AuthenticateServerResponse", lpa.command(request))
    assert kind == "authenticateResponseOk"
    assert SCHEMA.decode("EuiccSigned1", value["euiccSigned1"])["transactionId"] == b"\x01"
