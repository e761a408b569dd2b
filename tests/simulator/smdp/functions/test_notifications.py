"""The simulated SM-DP+'s handleNotification: verified, stored, and applied to the order."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from lpad.base.identifiers import Iccid
from lpad.simulator.pki.certificate_making import make_euicc
from lpad.simulator.pki.credential import Credential, Curve
from lpad.simulator.pki.pki import DEFAULT_EID
from lpad.simulator.smdp.store.order import OrderState
from simulator.smdp.bench import TestCard, Visit, b64, status_of

if TYPE_CHECKING:
    from lpad.simulator.pki.pki import Pki

ICCID = Iccid.parse("8949000000000000015")


@pytest.mark.parametrize(("event", "name"), [(0, "install"), (1, "enable"), (2, "disable"), (3, "delete")])
def test_notification_is_verified_by_its_own_chain(visit: Visit, event: int, name: str) -> None:
    """A notification of a card without a session is verified by the certificates in it."""
    visit.card.sequence_number = 127
    sent = visit.card.other_notification("some.example.com", event, iccid=bytes(ICCID))
    assert visit.notify(sent) == 204
    (told,) = visit.smdp.notifications
    assert (told.kind, told.event, told.sequence_number, told.verified) == ("other", name, 128, True)
    assert (told.address, told.iccid, told.eid) == ("some.example.com", str(ICCID), str(DEFAULT_EID))


@pytest.mark.parametrize("iccid", [bytes(ICCID)[:8] + b"\xff\x10", b"\xff" * 10])
def test_notification_with_an_odd_iccid(visit: Visit, iccid: bytes) -> None:
    """A notification with an invalid ICCID is verified and stored without the ICCID."""
    assert visit.notify(visit.card.other_notification("x.example.com", 1, iccid=iccid)) == 204
    (told,) = visit.smdp.notifications
    assert (told.iccid, told.verified) == (None, True)


def test_notification_with_a_wrong_signature_is_noted_as_such(visit: Visit, pki: Pki) -> None:
    """A notification with a wrong signature gets 204 and is stored as not verified."""
    right = visit.card.credential
    other = make_euicc(pki.eum[Curve.NIST], visit.card.eid)
    visit.card.credential = Credential(right.certificate, other.key)
    assert visit.notify(visit.card.other_notification("x.example.com", 1, iccid=bytes(ICCID))) == 204
    (told,) = visit.smdp.notifications
    assert (told.verified, told.eid) == (False, None)


def test_notification_of_an_unknown_ci_is_noted_as_such(visit: Visit, pki: Pki) -> None:
    """A notification whose EUM certificate is not from a known CI is stored as not verified."""
    stranger = TestCard(
        visit.card.credential, pki.strangers_tls(), visit.card.verification, visit.card.signing
    )
    assert visit.notify(stranger.other_notification("x.example.com", 1, iccid=bytes(ICCID))) == 204
    assert [one.verified for one in visit.smdp.notifications] == [False]


def test_duplicates_are_taken_and_marked(visit: Visit) -> None:
    """A notification that is sent again gets 204 again and is stored as a duplicate."""
    sent = visit.card.other_notification("x.example.com", 3, iccid=bytes(ICCID))
    assert [visit.notify(sent), visit.notify(sent)] == [204, 204]
    assert [one.duplicate for one in visit.smdp.notifications] == [False, True]


def test_result_of_an_unknown_transaction_is_taken(visit: Visit) -> None:
    """An installation result of an unknown session gets 204 and is stored as not verified."""
    assert visit.notify(visit.card.installation_result(bytes(16), "x.example.com")) == 204
    assert [one.verified for one in visit.smdp.notifications] == [False]


@pytest.mark.parametrize(
    ("error_reason", "state"),
    [
        (8, OrderState.ERROR),
        (9, OrderState.ERROR),
        (10, OrderState.RELEASED),
        (11, OrderState.RELEASED),
        (127, OrderState.ERROR),
    ],
)
def test_failure_ends_the_order_unless_it_may_pass(
    visit: Visit, profile: bytes, error_reason: int, state: OrderState
) -> None:
    """A failed installation ends the order, except for the reasons 10 (memory) and 11 (interruption)."""
    order = visit.smdp.orders.add_order(profile)
    visit.up_to_package(order.matching_id)
    result = visit.card.installation_result(visit.transaction_id, "x", error_reason=error_reason)
    assert visit.notify(result) == 204
    assert visit.smdp.orders.get(order.id).state is state
    (told,) = visit.smdp.notifications
    assert (told.installed, told.error_reason) == (False, error_reason)


def test_forged_result_does_not_end_the_order(visit: Visit, pki: Pki, profile: bytes) -> None:
    """An installation result signed by another key does not change the order."""
    order = visit.smdp.orders.add_order(profile)
    visit.up_to_package(order.matching_id)
    other = make_euicc(pki.eum[Curve.NIST], visit.card.eid)
    visit.card.credential = Credential(visit.card.credential.certificate, other.key)
    assert visit.notify(visit.card.installation_result(visit.transaction_id, "x")) == 204
    assert visit.smdp.orders.get(order.id).state is OrderState.DOWNLOADED


def test_late_result_of_an_earlier_session_changes_nothing(visit: Visit, profile: bytes) -> None:
    """An installation result of an earlier session than the order's latest does not change the order."""
    order = visit.smdp.orders.add_order(profile)
    visit.up_to_package(order.matching_id)
    late = visit.card.installation_result(visit.transaction_id, "x", error_reason=11)
    visit.up_to_package(order.matching_id)
    assert visit.notify(late) == 204
    assert visit.smdp.orders.get(order.id).state is OrderState.DOWNLOADED


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"pendingNotification": b64(bytes.fromhex("BF3700"))},
        {"pendingNotification": b64(bytes.fromhex("BF2D00"))},
        {"pendingNotification": "AAA"},
    ],
)
def test_unreadable_notification_is_a_bad_request(visit: Visit, fields: dict[str, str]) -> None:
    """A request without a readable notification gets 400 with the status 1.6/2.1."""
    response = visit.connection.post("handleNotification", json.dumps(fields).encode())
    assert response.status == 400
    assert status_of(json.loads(response.read())) == "1.6/2.1"
