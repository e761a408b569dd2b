"""Successful downloads from the simulated SM-DP+."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest

from lpad.base.identifiers import Iccid
from lpad.codec.asn1 import object_identifier, tlv
from lpad.codec.bound_profile import BoundProfile
from lpad.simulator.pki.credential import Curve
from lpad.simulator.smdp.server import SmDp
from lpad.simulator.smdp.store.order import OrderState
from lpad.simulator.smdp.store.orders import Orders
from lpad.simulator.smdp.store.profile_metadata import (
    Event,
    IconType,
    Owner,
    ProfileClass,
    ProfileMetadata,
    ProfilePolicyRule,
    Recipient,
)
from simulator.smdp.bench import SCHEMA, Connection, TestCard, Visit, decoded, status_of

if TYPE_CHECKING:
    from pathlib import Path

    from lpad.simulator.pki.pki import Pki


def test_whole_download_delivers_profile(visit: Visit, pki: Pki, profile: bytes) -> None:
    """A card gets the ordered profile by its matching ID, and its result ends the order."""
    order = visit.smdp.orders.add_order(profile)
    opened = visit.card.load(visit.up_to_package(order.matching_id), pki.dp_pb[Curve.NIST])
    assert b"".join(opened["profilePieces"]) == profile
    assert opened["transactionId"] == visit.transaction_id
    assert visit.smdp.orders.get(order.id).state is OrderState.DOWNLOADED
    result = visit.card.installation_result(visit.transaction_id, visit.smdp.address)
    assert visit.notify(result) == 204
    assert visit.smdp.orders.get(order.id).state is OrderState.INSTALLED
    (notification,) = visit.smdp.notifications
    assert (notification.verified, notification.installed, notification.event) == (True, True, "install")
    assert visit.up_to_metadata(order.matching_id)
    assert status_of(visit.authenticated) == "8.2.6/3.8"


def test_one_connection_serves_whole_download(visit: Visit, profile: bytes) -> None:
    """All requests of a download can use one connection; the server counts them by function."""
    order = visit.smdp.orders.add_order(profile)
    visit.up_to_package(order.matching_id)
    visit.notify(visit.card.installation_result(visit.transaction_id, visit.smdp.address))
    counters = visit.smdp.counters
    assert (counters.tcp_connects, counters.tls_handshakes) == (1, 1)
    assert counters.requests == {
        "initiateAuthentication": 1,
        "authenticateClient": 1,
        "getBoundProfilePackage": 1,
        "handleNotification": 1,
    }


def test_server_signs_what_it_says(visit: Visit, pki: Pki, profile: bytes) -> None:
    """The server signs serverSigned1 with DPauth's key, and smdpSigned2 with DPpb's key."""
    order = visit.smdp.orders.add_order(profile)
    answer = visit.up_to_metadata(order.matching_id)
    dp_auth, dp_pb = pki.dp_auth[Curve.NIST], pki.dp_pb[Curve.NIST]
    signed1 = base64.b64decode(visit.initiated["serverSigned1"])
    told = SCHEMA.decode("ServerSigned1", signed1)
    assert told["euiccChallenge"] == visit.card.challenge
    assert told["serverAddress"] == visit.smdp.address
    assert told["transactionId"] == visit.transaction_id
    assert base64.b64decode(visit.initiated["serverCertificate"]) == dp_auth.der
    assert dp_auth.signed(decoded("Signature", visit.initiated["serverSignature1"]), signed1)
    chosen = decoded("SubjectKeyIdentifier", visit.initiated["euiccCiPKIdToBeUsed"])
    assert chosen == pki.ci[Curve.NIST].key_id
    euicc_signature1 = SCHEMA.encode("Signature", visit.card.smdp_signed["euiccSignature1"])
    signed2 = base64.b64decode(answer["smdpSigned2"])
    assert dp_pb.signed(decoded("Signature", answer["smdpSignature2"]), signed2 + euicc_signature1)
    assert base64.b64decode(answer["smdpCertificate"]) == dp_pb.der


def test_transaction_ids_and_challenges_are_never_repeated(visit: Visit) -> None:
    """Five sessions have five transaction IDs and five challenges."""
    told = [decoded("ServerSigned1", visit.initiate()["serverSigned1"]) for _ in range(5)]
    assert len({one["transactionId"] for one in told}) == 5
    assert len({one["serverChallenge"] for one in told}) == 5


def test_brainpool_is_used_from_end_to_end(visit: Visit, pki: Pki, profile: bytes) -> None:
    """A card that knows only the brainpool CI can download, with certificates on that curve."""
    visit.card = TestCard.of(pki, curve=Curve.BRAINPOOL)
    order = visit.smdp.orders.add_order(profile)
    opened = visit.card.load(visit.up_to_package(order.matching_id), pki.dp_pb[Curve.BRAINPOOL])
    assert b"".join(opened["profilePieces"]) == profile
    assert base64.b64decode(visit.initiated["serverCertificate"]) == pki.dp_auth[Curve.BRAINPOOL].der


def test_card_prefers_by_order_of_its_lists(visit: Visit, pki: Pki) -> None:
    """The server chooses the first CI of each of the card's lists that it knows."""
    nist, brainpool = pki.ci[Curve.NIST].key_id, pki.ci[Curve.BRAINPOOL].key_id
    visit.card.signing = [bytes(20), brainpool, nist]
    visit.card.verification = [bytes(20), nist, brainpool]
    answer = visit.initiate()
    assert decoded("SubjectKeyIdentifier", answer["euiccCiPKIdToBeUsed"]) == brainpool
    assert base64.b64decode(answer["serverCertificate"]) == pki.dp_auth[Curve.NIST].der


@pytest.mark.parametrize("matching_id", [None, ""])
def test_default_smdp_finds_order_by_eid(visit: Visit, profile: bytes, matching_id: str | None) -> None:
    """Without a matching ID, or with an empty one, the card gets the order for its EID."""
    order = visit.smdp.orders.add_order(profile, eid=visit.card.eid)
    assert order.matching_id == ""
    assert status_of(visit.up_to_metadata(matching_id)) == "Executed-Success"


def test_orders_of_one_eid_come_oldest_first(visit: Visit, profile: bytes) -> None:
    """If two orders are for one EID, the card gets the older one first."""
    first = visit.smdp.orders.add_order(profile, eid=visit.card.eid)
    second = visit.smdp.orders.add_order(profile, eid=visit.card.eid)
    visit.up_to_package()
    visit.notify(visit.card.installation_result(visit.transaction_id, visit.smdp.address))
    assert visit.smdp.orders.get(first.id).state is OrderState.INSTALLED
    visit.up_to_package()
    assert visit.smdp.orders.get(second.id).state is OrderState.DOWNLOADED


def test_metadata_contains_the_whole_order(visit: Visit, pki: Pki, profile: bytes) -> None:
    """The metadata has all values of the order, and is the same in authenticateClient and the package."""
    metadata = ProfileMetadata(
        iccid="8949000000000000015",
        service_provider="Opérateur",
        name="Außen",
        icon=b"\x89PNG",
        icon_type=IconType.PNG,
        profile_class=ProfileClass.PROVISIONING,
        owner=Owner("26201", gid1="0a"),
        rules=(ProfilePolicyRule.PPR1,),
        recipients=(Recipient((Event.ENABLE,), "elsewhere.example.com"), Recipient((Event.DELETE,))),
    )
    order = visit.smdp.orders.add_order(profile, metadata=metadata, metadata_piece=40)
    opened = visit.card.load(visit.up_to_package(order.matching_id), pki.dp_pb[Curve.NIST])
    shown = base64.b64decode(visit.authenticated["profileMetadata"])
    assert b"".join(opened["metadataPieces"]) == shown
    assert len(opened["metadataPieces"]) > 1
    assert SCHEMA.decode("StoreMetadataRequest", shown) == {
        "iccid": bytes(Iccid.parse("8949000000000000015")),
        "serviceProviderName": "Opérateur",
        "profileName": "Außen",
        "iconType": 1,
        "icon": b"\x89PNG",
        "profileClass": 1,
        "notificationConfigurationInfo": [
            {"profileManagementOperation": (b"\x40", 2), "notificationAddress": "elsewhere.example.com"},
            {"profileManagementOperation": (b"\x10", 4), "notificationAddress": visit.smdp.address},
        ],
        "profileOwner": {"mccMnc": bytes.fromhex("62f210"), "gid1": b"\x0a"},
        "profilePolicyRules": (b"\x40", 2),
    }


def test_package_is_made_as_cards_expect(visit: Visit, pki: Pki, profile: bytes) -> None:
    """A package's pieces have 1020 bytes, the last at most that; ConfigureISDP has the server's OID."""
    order = visit.smdp.orders.add_order(profile)
    opened = visit.card.load(visit.up_to_package(order.matching_id), pki.dp_pb[Curve.NIST])
    *whole, last = opened["pieceLengths"]
    assert set(whole) == {1020}
    assert last <= 1020
    oid = tlv.parse(opened["configure"]).get(0xB8).get(0x80).value
    assert object_identifier.decode(oid) == visit.smdp.oid == "2.999.10"


def test_package_is_cut_into_segments_by_the_lpa(visit: Visit, profile: bytes) -> None:
    """The BoundProfile of lpad reads a package's transaction ID, and cuts it into the right segments."""
    order = visit.smdp.orders.add_order(profile, replace_session_keys=True)
    bound = BoundProfile.parse(visit.up_to_package(order.matching_id))
    assert bytes(bound.transaction_id) == visit.transaction_id
    assert len(bound.segments) == 3 + 1 + 1 + 1 + 3


def test_profile_may_bring_its_own_session_keys(visit: Visit, pki: Pki, profile: bytes) -> None:
    """For an order with replace_session_keys, the profile is encrypted with the keys in the package."""
    order = visit.smdp.orders.add_order(profile, replace_session_keys=True, profile_piece=500)
    package = visit.up_to_package(order.matching_id)
    assert tlv.parse(package).find(0xA2) is not None
    opened = visit.card.load(package, pki.dp_pb[Curve.NIST])
    assert b"".join(opened["profilePieces"]) == profile


@pytest.mark.parametrize(
    "told", ["{host}:{port}", "LocalHost:{port}", "localhost", "TESTSMDPPLUS1.example.com"]
)
def test_own_address_is_known_in_every_form(visit: Visit, told: str) -> None:
    """The server accepts any of its names, with or without port, and signs the client's form."""
    visit.address = told.format(host="localhost", port=visit.smdp.port)
    signed = decoded("ServerSigned1", visit.initiate()["serverSigned1"])
    assert signed["serverAddress"] == visit.address.lower()


def test_retry_with_same_one_time_key_gets_same_package(visit: Visit, pki: Pki, profile: bytes) -> None:
    """If the card uses the offered one-time key, only the first element of the package changes."""
    order = visit.smdp.orders.add_order(profile)
    first = visit.up_to_package(order.matching_id)
    second = visit.up_to_package(order.matching_id)
    offered = decoded("SmdpSigned2", visit.authenticated["smdpSigned2"])
    assert offered["bppEuiccOtpk"] == visit.card.otpk()
    assert [one.raw for one in tlv.parse(first).children()[1:]] == [
        one.raw for one in tlv.parse(second).children()[1:]
    ]
    opened = visit.card.load(second, pki.dp_pb[Curve.NIST])
    assert opened["transactionId"] == visit.transaction_id
    assert b"".join(opened["profilePieces"]) == profile


def test_another_one_time_key_gets_another_package(visit: Visit, pki: Pki, profile: bytes) -> None:
    """If the card uses another one-time key, the package is bound to that key."""
    order = visit.smdp.orders.add_order(profile)
    first = visit.up_to_package(order.matching_id)
    visit.card.one_time = None
    second = visit.up_to_package(order.matching_id)
    assert tlv.parse(first).get(0xA3).raw != tlv.parse(second).get(0xA3).raw
    opened = visit.card.load(second, pki.dp_pb[Curve.NIST])
    assert b"".join(opened["profilePieces"]) == profile


def test_answer_that_was_lost_can_be_asked_for_again(visit: Visit, profile: bytes) -> None:
    """A second request for the package in the same session succeeds."""
    order = visit.smdp.orders.add_order(profile)
    visit.up_to_package(order.matching_id)
    assert status_of(visit.get_package()) == "Executed-Success"


def test_confirmation_code_opens_the_order(visit: Visit, profile: bytes) -> None:
    """For an order with a confirmation code, ccRequiredFlag is set and the right code's hash is accepted."""
    order = visit.smdp.orders.add_order(profile, confirmation_code="0012é")
    answer = visit.up_to_metadata(order.matching_id)
    assert decoded("SmdpSigned2", answer["smdpSigned2"])["ccRequiredFlag"] is True
    assert status_of(visit.get_package(code="0012é")) == "Executed-Success"


def test_orders_of_another_process_are_seen(visit: Visit, profile: bytes) -> None:
    """An order that is added to the folder while the server runs can be downloaded."""
    order = Orders(visit.smdp.folder / "orders").add_order(profile, matching_id="FROM-OUTSIDE")
    assert order.id
    assert status_of(visit.up_to_metadata("FROM-OUTSIDE")) == "Executed-Success"


def test_server_continues_where_it_was_stopped(
    visit: Visit, pki: Pki, profile: bytes, tmp_path: Path
) -> None:
    """After a restart of the server, the result of an earlier download ends its order."""
    order = visit.smdp.orders.add_order(profile)
    visit.up_to_package(order.matching_id)
    visit.connection.close()
    visit.smdp.stop()
    with SmDp(tmp_path / "smdp", pki=pki) as again:
        later = Visit(again, visit.card, Connection(again, pki))
        result = visit.card.installation_result(visit.transaction_id, again.address)
        assert later.notify(result) == 204
        later.connection.close()
        assert again.orders.get(order.id).state is OrderState.INSTALLED
