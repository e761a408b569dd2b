"""The simulated SM-DP+'s refusals, with the status codes of SGP.22 and in its order of checks."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from lpad.base.identifiers import Eid
from lpad.simulator.pki import certificate_making
from lpad.simulator.pki.certificate_making import Validity
from lpad.simulator.pki.credential import Credential, Curve
from lpad.simulator.smdp.server import SmDp
from lpad.simulator.smdp.store.order import OrderState
from lpad.simulator.smdp.store.profile_metadata import ProfileMetadata, ProfilePolicyRule
from simulator.smdp.bench import SCHEMA, Connection, TestCard, Visit, b64, status_of

if TYPE_CHECKING:
    from pathlib import Path

    from lpad.simulator.pki.pki import Pki

OTHER_EID = Eid.with_check_digits("890490321234512345123456789999")


def test_address_of_another_server_is_refused_first(visit: Visit) -> None:
    """The status is 8.8.1/3.8 for another server's address, even if version and CIs are wrong, too."""
    visit.address = "elsewhere.example.com"
    visit.card.svn = bytes(3)
    visit.card.signing = []
    assert status_of(visit.initiate()) == "8.8.1/3.8"


def test_old_version_is_refused_before_its_cis(visit: Visit) -> None:
    """The status is 8.8.3/3.1 for a card of SGP.22 version 1, even without a CI for signing."""
    visit.card.svn = bytes((1, 0, 0))
    visit.card.signing = []
    assert status_of(visit.initiate()) == "8.8.3/3.1"


def test_signing_cis_are_looked_at_before_verification_cis(visit: Visit) -> None:
    """The status is 8.8.2/3.1 if both of the card's lists contain only unknown CIs."""
    visit.card.signing = visit.card.verification = [bytes(20)]
    assert status_of(visit.initiate()) == "8.8.2/3.1"


def test_card_that_trusts_strangers_only_is_refused(visit: Visit) -> None:
    """The status is 8.8.4/3.7 if the card's list for verification contains only unknown CIs."""
    visit.card.verification = [bytes(20)]
    assert status_of(visit.initiate()) == "8.8.4/3.7"


def test_server_of_one_curve_refuses_the_other(pki: Pki, card: TestCard, tmp_path: Path) -> None:
    """The status is 8.8.4/3.7 if the server has only brainpool certificates and the card knows P-256."""
    with SmDp(tmp_path / "one", pki=pki, curve=Curve.BRAINPOOL) as smdp:
        connection = Connection(smdp, pki)
        assert status_of(Visit(smdp, card, connection).initiate()) == "8.8.4/3.7"
        connection.close()


@pytest.mark.parametrize(
    "changes",
    [
        {"euiccChallenge": b64(bytes(15))},
        {"euiccChallenge": "*"},
        {"euiccChallenge": None},
        {"euiccInfo1": b64(bytes.fromhex("BF2205820302"))},
        {"euiccInfo1": b64(bytes.fromhex("BF2200"))},
        {"euiccInfo1": b64(bytes.fromhex("BF20058203020202"))},
        {"smdpAddress": 5},
    ],
)
def test_malformed_request_is_invalid(visit: Visit, changes: dict[str, object]) -> None:
    """The status is 1.6/2.1 for a request with a missing or malformed field."""
    assert status_of(visit.initiate(**changes)) == "1.6/2.1"


def test_unknown_fields_and_blanks_in_base64_are_ignored(visit: Visit) -> None:
    """Unknown fields, line breaks in base64 and missing padding are accepted."""
    challenge = b64(visit.card.challenge).rstrip("=")
    answer = visit.initiate(
        euiccChallenge=f"{challenge[:5]}\n {challenge[5:]}\r\n", lpaRspCapability="AA==", matchingId="X"
    )
    assert status_of(answer) == "Executed-Success"


@pytest.mark.parametrize("transaction_id", ["00" * 16, "", "no hex", "00" * 17])
@pytest.mark.parametrize(
    ("function", "field"),
    [
        ("authenticateClient", "authenticateServerResponse"),
        ("getBoundProfilePackage", "prepareDownloadResponse"),
        ("cancelSession", "cancelSessionResponse"),
    ],
)
def test_unknown_transaction_is_refused(
    connection: Connection, transaction_id: str, function: str, field: str
) -> None:
    """The status is 8.10.1/3.9 for an unknown transaction ID, in each function that continues a session."""
    assert (
        status_of(connection.call(function, {"transactionId": transaction_id, field: "AA=="})) == "8.10.1/3.9"
    )


def test_functions_come_in_their_order(visit: Visit, profile: bytes) -> None:
    """The status is 8.10.1/3.9 for an early package request, and for a second authenticateClient."""
    order = visit.smdp.orders.add_order(profile)
    visit.initiate()
    name = {"transactionId": visit.initiated["transactionId"]}
    early = visit.connection.call("getBoundProfilePackage", {**name, "prepareDownloadResponse": "AA=="})
    assert status_of(early) == "8.10.1/3.9"
    assert status_of(visit.authenticate(order.matching_id)) == "Executed-Success"
    assert status_of(visit.authenticate(order.matching_id)) == "8.10.1/3.9"


def test_session_ends_by_itself(pki: Pki, card: TestCard, tmp_path: Path) -> None:
    """The status is 8.10.1/3.9 if the session has expired."""
    with SmDp(tmp_path / "hasty", pki=pki, session_seconds=0) as smdp:
        connection = Connection(smdp, pki)
        assert status_of(Visit(smdp, card, connection).up_to_metadata("X")) == "8.10.1/3.9"
        connection.close()


def test_refusal_ends_the_session(visit: Visit, profile: bytes) -> None:
    """A refusal for a wrong matching ID ends the session."""
    order = visit.smdp.orders.add_order(profile)
    assert status_of(visit.up_to_metadata("WRONG")) == "8.2.6/3.8"
    assert status_of(visit.authenticate(order.matching_id)) == "8.10.1/3.9"


def test_chain_of_another_ci_than_chosen_is_refused(visit: Visit, pki: Pki) -> None:
    """The status is 8.11.1/3.9 if the EUM's certificate is not from the CI that the server chose."""
    brainpool = TestCard.of(pki, curve=Curve.BRAINPOOL)
    visit.card.credential, visit.card.eum = brainpool.credential, brainpool.eum
    assert status_of(visit.up_to_metadata("X")) == "8.11.1/3.9"


def _eum(pki: Pki, **changes: object) -> Credential:
    return certificate_making.make_eum(pki.ci[Curve.NIST], **changes)  # type: ignore[arg-type]  # keywords as given


def test_eum_certificate_must_be_signed_by_the_ci(visit: Visit, pki: Pki) -> None:
    """The status is 8.1.2/6.1 if the EUM's certificate names the CI, but another key signed it."""
    stranger = certificate_making.make_ci(Curve.NIST)
    liar = Credential(pki.ci[Curve.NIST].certificate, stranger.key)
    visit.card.eum = certificate_making.make_eum(liar)
    visit.card.credential = certificate_making.make_euicc(visit.card.eum, visit.card.eid)
    assert status_of(visit.up_to_metadata("X")) == "8.1.2/6.1"


def test_eum_certificate_must_have_its_role(visit: Visit, pki: Pki) -> None:
    """The status is 8.1.2/6.1 if the certificate in the EUM's place has another role."""
    visit.card.eum = pki.dp_auth[Curve.NIST]
    assert status_of(visit.up_to_metadata("X")) == "8.1.2/6.1"


def test_eum_certificate_may_expire(visit: Visit, pki: Pki) -> None:
    """The status is 8.1.2/6.3 for an expired EUM certificate."""
    visit.card.eum = _eum(pki, validity=Validity.past())
    visit.card.credential = certificate_making.make_euicc(visit.card.eum, visit.card.eid)
    assert status_of(visit.up_to_metadata("X")) == "8.1.2/6.3"


def test_euicc_certificate_must_be_signed_by_the_eum(visit: Visit, pki: Pki) -> None:
    """The status is 8.1.3/6.1 if another EUM's key signed the eUICC's certificate."""
    visit.card.credential = certificate_making.make_euicc(_eum(pki), visit.card.eid)
    assert status_of(visit.up_to_metadata("X")) == "8.1.3/6.1"


def test_euicc_certificate_may_expire(visit: Visit, pki: Pki) -> None:
    """The status is 8.1.3/6.3 for an expired eUICC certificate."""
    visit.card.credential = certificate_making.make_euicc(
        pki.eum[Curve.NIST], visit.card.eid, validity=Validity.past()
    )
    assert status_of(visit.up_to_metadata("X")) == "8.1.3/6.3"


def test_eid_must_be_in_the_range_of_its_eum(visit: Visit, pki: Pki) -> None:
    """The status is 8.1.3/6.1 if the eUICC's EID is not in the EUM's range."""
    foreign = Eid.with_check_digits("890330231234512345123456789012")
    visit.card.credential = certificate_making.make_euicc(pki.eum[Curve.NIST], foreign)
    assert status_of(visit.up_to_metadata("X")) == "8.1.3/6.1"


def test_euicc_signature_must_be_right(visit: Visit, pki: Pki) -> None:
    """The status is 8.1/6.1 if euiccSignature1 is by a key other than the certificate's."""
    other = certificate_making.make_euicc(pki.eum[Curve.NIST], visit.card.eid)
    visit.card.credential = Credential(visit.card.credential.certificate, other.key)
    assert status_of(visit.up_to_metadata("X")) == "8.1/6.1"


def test_server_challenge_must_come_back(visit: Visit) -> None:
    """The status is 8.1/6.1 if the card signed a challenge other than the server's."""
    assert status_of(visit.up_to_metadata("X", serverChallenge=bytes(16))) == "8.1/6.1"


def test_signed_transaction_must_be_the_session(visit: Visit) -> None:
    """The status is 8.10.1/3.9 if the card signed a transaction ID other than that in JSON."""
    assert status_of(visit.up_to_metadata("X", transactionId=bytes(16))) == "8.10.1/3.9"


def test_card_that_refused_the_server_gets_no_profile(visit: Visit) -> None:
    """The status is 8.1/6.1 if the LPA sends the card's error answer to AuthenticateServer."""
    visit.initiate()
    error = {"transactionId": visit.transaction_id, "authenticateErrorCode": 2}
    response = SCHEMA.encode("AuthenticateServerResponse", ("authenticateResponseError", error))
    assert status_of(visit.authenticate_with(response)) == "8.1/6.1"


@pytest.mark.parametrize(
    "response", [b"\x00", bytes.fromhex("BF3802A000"), bytes.fromhex("BF38053000A00000")]
)
def test_malformed_card_answer_is_invalid(visit: Visit, response: bytes) -> None:
    """The status is 1.6/2.1 for bytes that are not an AuthenticateServer response."""
    visit.initiate()
    assert status_of(visit.authenticate_with(response)) == "1.6/2.1"


def test_wrong_matching_id_is_refused(visit: Visit, profile: bytes) -> None:
    """The status is 8.2.6/3.8 for an unknown matching ID, or without one if no order is for this EID."""
    visit.smdp.orders.add_order(profile)
    assert status_of(visit.up_to_metadata("WRONG")) == "8.2.6/3.8"
    assert status_of(visit.up_to_metadata()) == "8.2.6/3.8"


def test_order_for_another_card_is_refused(visit: Visit, profile: bytes) -> None:
    """The status is 8.1.1/3.8 if the order is for another EID."""
    visit.smdp.orders.add_order(profile, matching_id="LINKED", eid=OTHER_EID)
    assert status_of(visit.up_to_metadata("LINKED")) == "8.1.1/3.8"


def test_profile_that_went_to_one_card_is_refused_to_another(visit: Visit, pki: Pki, profile: bytes) -> None:
    """The status is 8.1.1/3.8 if another card has already downloaded the order's package."""
    order = visit.smdp.orders.add_order(profile)
    visit.up_to_package(order.matching_id)
    visit.card = TestCard.of(pki, eid=OTHER_EID)
    assert status_of(visit.up_to_metadata(order.matching_id)) == "8.1.1/3.8"


def test_expired_order_is_refused(visit: Visit, profile: bytes) -> None:
    """The status is 8.8.5/4.10 for an expired order."""
    past = datetime.now(UTC) - timedelta(seconds=1)
    order = visit.smdp.orders.add_order(profile, expires=past)
    assert status_of(visit.up_to_metadata(order.matching_id)) == "8.8.5/4.10"


def test_order_may_expire_before_the_package(visit: Visit, profile: bytes) -> None:
    """The status is 8.8.5/4.10 if the order expires between authenticateClient and the package."""
    order = visit.smdp.orders.add_order(profile)
    visit.up_to_metadata(order.matching_id)
    visit.smdp.orders.change(order.id, expires=datetime.now(UTC))
    assert status_of(visit.get_package()) == "8.8.5/4.10"


def test_attempts_are_limited(visit: Visit, profile: bytes) -> None:
    """The status is 8.8.5/6.4 for each session beyond the order's attempt limit."""
    order = visit.smdp.orders.add_order(profile, attempt_limit=2)
    told = [status_of(visit.up_to_metadata(order.matching_id)) for _ in range(4)]
    assert told == ["Executed-Success"] * 2 + ["8.8.5/6.4"] * 2
    assert visit.smdp.orders.get(order.id).state is OrderState.ERROR


def test_unreleased_profile_is_refused_until_released(visit: Visit, profile: bytes) -> None:
    """The status is 8.2/1.2 until the order is released, and success afterwards."""
    order = visit.smdp.orders.add_order(profile, released=False)
    assert status_of(visit.up_to_metadata(order.matching_id)) == "8.2/1.2"
    visit.smdp.orders.release(order.id)
    assert status_of(visit.up_to_metadata(order.matching_id)) == "Executed-Success"


def test_order_that_was_taken_back_is_refused(visit: Visit, profile: bytes) -> None:
    """The status is 8.2.6/3.8 for a cancelled order."""
    order = visit.smdp.orders.add_order(profile)
    visit.smdp.orders.cancel(order.id)
    assert status_of(visit.up_to_metadata(order.matching_id)) == "8.2.6/3.8"


@pytest.mark.parametrize(("free", "told"), [(2_999, "8.1/4.8"), (3_000, "Executed-Success")])
def test_memory_is_checked_if_wanted(
    pki: Pki, card: TestCard, profile: bytes, tmp_path: Path, free: int, told: str
) -> None:
    """If the server checks memory, the status is 8.1/4.8 for a profile larger than the free memory."""
    card.free_memory = free + len(profile) - 3_000
    with SmDp(tmp_path / "careful", pki=pki, check_memory=True) as smdp:
        connection = Connection(smdp, pki)
        order = smdp.orders.add_order(profile)
        assert status_of(Visit(smdp, card, connection).up_to_metadata(order.matching_id)) == told
        connection.close()


def test_memory_is_left_to_the_card_otherwise(visit: Visit, profile: bytes) -> None:
    """By default the server does not check the card's free memory."""
    visit.card.free_memory = 0
    order = visit.smdp.orders.add_order(profile)
    assert status_of(visit.up_to_metadata(order.matching_id)) == "Executed-Success"


@pytest.mark.parametrize(
    ("tac", "told"),
    [("53926011", "Executed-Success"), ("35290611", "Executed-Success"), ("00000000", "8.2.5/4.3")],
)
def test_order_may_be_for_some_devices_only(visit: Visit, profile: bytes, tac: str, told: str) -> None:
    """The status is 8.2.5/4.3 for a TAC that the order does not have, in either order of nibbles."""
    order = visit.smdp.orders.add_order(profile, tacs=("35290611",))
    assert status_of(visit.up_to_metadata(order.matching_id, tac=tac)) == told


def test_rules_that_the_card_forbids_make_it_not_eligible(visit: Visit, profile: bytes) -> None:
    """The status is 8.2.5/4.3 if EUICCInfo2 forbids a rule of the profile."""
    visit.card.forbidden_rules = (b"\x40", 2)
    metadata = ProfileMetadata(iccid="8949000000000000015", rules=(ProfilePolicyRule.PPR1,))
    order = visit.smdp.orders.add_order(profile, metadata=metadata)
    assert status_of(visit.up_to_metadata(order.matching_id)) == "8.2.5/4.3"


def test_confirmation_code_is_asked_for_and_limited(visit: Visit, profile: bytes) -> None:
    """The status is 8.2.7/2.2 without a code, 3.8 for a wrong one, 6.4 at the limit, and the order ends."""
    order = visit.smdp.orders.add_order(profile, confirmation_code="1234", confirmation_limit=3)
    visit.up_to_metadata(order.matching_id)
    assert status_of(visit.get_package()) == "8.2.7/2.2"
    assert status_of(visit.get_package(code="0000")) == "8.2.7/3.8"
    visit.up_to_metadata(order.matching_id)
    assert status_of(visit.get_package(code="01234")) == "8.2.7/3.8"
    assert status_of(visit.get_package(hash_cc=bytes(32))) == "8.2.7/6.4"
    assert visit.smdp.orders.get(order.id).state is OrderState.ERROR
    assert status_of(visit.up_to_metadata(order.matching_id)) == "8.2.6/3.8"


def test_right_code_after_a_wrong_one_is_accepted_in_the_same_session(visit: Visit, profile: bytes) -> None:
    """After a wrong confirmation code, the right one is accepted in the same session."""
    order = visit.smdp.orders.add_order(profile, confirmation_code="1234")
    visit.up_to_metadata(order.matching_id)
    assert status_of(visit.get_package(code="1235")) == "8.2.7/3.8"
    assert status_of(visit.get_package(code="1234")) == "Executed-Success"


def test_one_time_key_must_be_signed_over_the_servers_signature(visit: Visit, profile: bytes) -> None:
    """The status is 8.1/6.1 if euiccSignature2 covers the smdpSignature2 of another session."""
    order = visit.smdp.orders.add_order(profile)
    visit.up_to_metadata(order.matching_id)
    before = visit.authenticated
    visit.up_to_metadata(order.matching_id)
    visit.authenticated = {**visit.authenticated, "smdpSignature2": before["smdpSignature2"]}
    assert status_of(visit.get_package()) == "8.1/6.1"


def test_one_time_key_must_name_the_session(visit: Visit, profile: bytes) -> None:
    """The status is 8.10.1/3.9 if euiccSigned2 has another transaction ID."""
    order = visit.smdp.orders.add_order(profile)
    visit.up_to_metadata(order.matching_id)
    assert status_of(visit.get_package(transactionId=bytes(16))) == "8.10.1/3.9"


def test_one_time_key_must_be_a_point(visit: Visit, profile: bytes) -> None:
    """The status is 1.6/2.1 if the one-time key is not a point on the curve."""
    order = visit.smdp.orders.add_order(profile)
    visit.up_to_metadata(order.matching_id)
    assert status_of(visit.get_package(euiccOtpk=b"\x04" + bytes(64))) == "1.6/2.1"


def test_card_that_refused_to_prepare_gets_no_package(visit: Visit, profile: bytes) -> None:
    """The status is 8.1/6.1 if the LPA sends the card's error answer to PrepareDownload."""
    order = visit.smdp.orders.add_order(profile)
    visit.up_to_metadata(order.matching_id)
    error = {"transactionId": visit.transaction_id, "downloadErrorCode": 2}
    response = SCHEMA.encode("PrepareDownloadResponse", ("downloadResponseError", error))
    answer = visit.connection.call(
        "getBoundProfilePackage",
        {"transactionId": visit.initiated["transactionId"], "prepareDownloadResponse": b64(response)},
    )
    assert status_of(answer) == "8.1/6.1"


def test_certificates_with_version_3_roles_are_accepted(
    visit: Visit, pki: Pki, profile: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """EUM and eUICC certificates with SGP.22 version 3's role OIDs are accepted."""
    monkeypatch.setattr(certificate_making, "ROLE_EUM", "2.23.146.1.2.1.0.0.0")
    monkeypatch.setattr(certificate_making, "ROLE_EUICC", "2.23.146.1.2.1.0.0.0.0.0")
    eum = _eum(pki)
    credential = certificate_making.make_euicc(eum, visit.card.eid)
    visit.card = replace(visit.card, eum=eum, credential=credential)
    order = visit.smdp.orders.add_order(profile)
    assert status_of(visit.up_to_metadata(order.matching_id)) == "Executed-Success"
