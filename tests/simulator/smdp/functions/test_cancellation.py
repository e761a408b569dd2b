"""The simulated SM-DP+'s cancelSession, and the states of the orders afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lpad.simulator.pki.certificate_making import make_euicc
from lpad.simulator.pki.credential import Credential, Curve
from lpad.simulator.smdp.store.order import OrderState
from simulator.smdp.bench import SCHEMA, Visit, b64, decoded, status_of

if TYPE_CHECKING:
    from lpad.simulator.pki.pki import Pki


@pytest.mark.parametrize(
    ("reason", "state", "words"),
    [
        (0, OrderState.CANCELLED, "end user rejection"),
        (1, OrderState.RELEASED, "postponed"),
        (2, OrderState.RELEASED, "timeout"),
        (3, OrderState.ERROR, "policy rules not allowed"),
        (4, OrderState.ERROR, "metadata mismatch"),
        (5, OrderState.ERROR, "load error"),
        (127, OrderState.ERROR, "undefined reason"),
        (23, OrderState.ERROR, "reason 23"),
    ],
)
def test_reason_decides_the_result_of_the_order(
    visit: Visit, profile: bytes, reason: int, state: OrderState, words: str
) -> None:
    """A cancellation ends the session; the order stays released only for reasons 1 and 2."""
    order = visit.smdp.orders.add_order(profile)
    visit.up_to_metadata(order.matching_id)
    assert status_of(visit.cancel(reason)) == "Executed-Success"
    settled = visit.smdp.orders.get(order.id)
    assert (settled.state, settled.reason) == (state, words)
    assert status_of(visit.cancel(reason)) == "8.10.1/3.9"
    told = status_of(visit.up_to_metadata(order.matching_id))
    assert told == ("Executed-Success" if state is OrderState.RELEASED else "8.2.6/3.8")


def test_postponed_download_offers_the_one_time_key_again(visit: Visit, profile: bytes) -> None:
    """After a postponement, the next session offers the one-time key of the bound package."""
    order = visit.smdp.orders.add_order(profile)
    visit.up_to_package(order.matching_id)
    visit.cancel(1)
    visit.up_to_metadata(order.matching_id)
    offered = decoded("SmdpSigned2", visit.authenticated["smdpSigned2"])
    assert offered["bppEuiccOtpk"] == visit.card.otpk()


def test_nothing_to_cancel_before_the_card_is_known(visit: Visit) -> None:
    """Before authenticateClient, a cancellation is refused with 8.10.1/3.9."""
    visit.initiate()
    assert status_of(visit.cancel(0)) == "8.10.1/3.9"


def test_cancellation_must_be_signed_by_the_card(visit: Visit, pki: Pki, profile: bytes) -> None:
    """A cancellation signed by another key is refused with 8.1/6.1, and the session continues."""
    order = visit.smdp.orders.add_order(profile)
    visit.up_to_metadata(order.matching_id)
    right = visit.card.credential
    other = make_euicc(pki.eum[Curve.NIST], visit.card.eid)
    visit.card.credential = Credential(right.certificate, other.key)
    assert status_of(visit.cancel(0)) == "8.1/6.1"
    visit.card.credential = right
    assert status_of(visit.get_package()) == "Executed-Success"


def test_cancellation_must_be_for_this_server(visit: Visit, profile: bytes) -> None:
    """A cancellation with another SM-DP+'s OID is refused with 8.8/3.10."""
    order = visit.smdp.orders.add_order(profile)
    visit.up_to_metadata(order.matching_id)
    assert status_of(visit.cancel(0, oid="2.999.12")) == "8.8/3.10"


def test_card_that_refused_to_cancel_changes_nothing(visit: Visit, profile: bytes) -> None:
    """If the LPA sends the card's error answer, the status is 8.1/6.1 and the order stays open."""
    order = visit.smdp.orders.add_order(profile)
    visit.up_to_metadata(order.matching_id)
    response = SCHEMA.encode("CancelSessionResponse", ("cancelSessionResponseError", 5))
    answer = visit.connection.call(
        "cancelSession",
        {"transactionId": visit.initiated["transactionId"], "cancelSessionResponse": b64(response)},
    )
    assert status_of(answer) == "8.1/6.1"
    assert visit.smdp.orders.get(order.id).state is OrderState.RELEASED
