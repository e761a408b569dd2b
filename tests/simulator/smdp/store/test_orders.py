"""The simulated SM-DP+'s folder of orders."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from lpad.base.errors import Conflict, InvalidValue, NotFound
from lpad.base.identifiers import Eid, Iccid
from lpad.simulator.pki.pki import DEFAULT_EID
from lpad.simulator.smdp.store.order import OrderState
from lpad.simulator.smdp.store.orders import Orders, iccid_of
from lpad.simulator.smdp.store.profile_metadata import Owner, ProfileMetadata, bits_of

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def orders(tmp_path: Path) -> Orders:
    """An empty folder of orders."""
    return Orders(tmp_path / "orders")


def test_order_survives_its_file(orders: Orders, profile: bytes) -> None:
    """An order that was added is read back unchanged, with its profile."""
    order = orders.add_order(
        profile,
        metadata=ProfileMetadata(iccid="8949000000000000015", icon=b"\x00\xff", owner=Owner("310260")),
        confirmation_code="1234",
        expires=datetime.now(UTC) + timedelta(days=1),
        tacs=("35290611",),
    )
    assert orders.get(order.id) == order
    assert orders.all() == (order,)
    assert orders.profile(order) == profile


def test_iccid_comes_from_the_header_of_the_profile(orders: Orders, profile: bytes) -> None:
    """Without metadata, an order has the ICCID in the header of its profile."""
    assert iccid_of(profile) == Iccid.parse("8949000000000000015")
    assert orders.add_order(profile).metadata.iccid == "8949000000000000015"


@pytest.mark.test_data
def test_iccid_of_published_profiles(test_data: Path) -> None:
    """From each of the three TS.48 profiles, an ICCID of their range is read."""
    numbers = {str(iccid_of(path.read_bytes())) for path in (test_data / "upp").glob("*.der")}
    assert len(numbers) == 3
    assert all(number.startswith("8949449999999990") for number in numbers)


@pytest.mark.parametrize("profile", [b"", b"PK\x03\x04", b"\xa0\x05\x80\x01\x02"])
def test_file_that_is_not_a_profile_is_refused(orders: Orders, profile: bytes) -> None:
    """An order with bytes that are not a profile package is refused."""
    with pytest.raises(InvalidValue, match="not a profile package"):
        orders.add_order(profile)


def test_activation_code_states_what_the_order_wants(orders: Orders, profile: bytes) -> None:
    """An activation code has address and matching ID, and OID and confirmation flag as ordered."""
    plain = orders.add_order(profile, matching_id="A-1")
    assert plain.activation_code("localhost:8443", "2.999.10") == "LPA:1$localhost:8443$A-1"
    named = orders.add_order(profile, matching_id="A-2", oid_in_code=True)
    assert named.activation_code("dp.example.com", "2.999.10", prefix="") == "1$dp.example.com$A-2$2.999.10"
    coded = orders.add_order(profile, matching_id="A-3", confirmation_code="1")
    assert coded.activation_code("dp.example.com", "2.999.10") == "LPA:1$dp.example.com$A-3$$1"
    both = orders.add_order(profile, matching_id="A-4", confirmation_code="1", oid_in_code=True)
    assert both.activation_code("dp.example.com", "2.999.10") == "LPA:1$dp.example.com$A-4$2.999.10$1"


def test_random_matching_ids_keep_the_alphabet(orders: Orders, profile: bytes) -> None:
    """Matching IDs that the server makes differ, and have only capitals, digits and dashes."""
    made = {orders.add_order(profile).matching_id for _ in range(5)}
    assert len(made) == 5
    assert all(re.fullmatch(r"[0-9A-Z-]+", one) for one in made)


def test_confirmation_code_is_not_kept(orders: Orders, profile: bytes, tmp_path: Path) -> None:
    """An order's file does not contain the confirmation code, and only its owner can read it."""
    order = orders.add_order(profile, confirmation_code="very secret")
    path = tmp_path / "orders" / f"{order.id}.json"
    assert b"very secret" not in path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600


def test_open_matching_id_is_taken_once(orders: Orders, profile: bytes) -> None:
    """A matching ID is refused for a second order until the first order has ended."""
    first = orders.add_order(profile, matching_id="TWICE")
    with pytest.raises(Conflict, match="has this matching ID"):
        orders.add_order(profile, matching_id="TWICE")
    orders.change(first.id, state=OrderState.INSTALLED)
    second = orders.add_order(profile, matching_id="TWICE")
    assert orders.find("TWICE", DEFAULT_EID) == second


def test_order_that_no_card_would_find_is_refused(orders: Orders, profile: bytes) -> None:
    """An order without a matching ID and an EID is refused."""
    with pytest.raises(InvalidValue, match="matching ID or an EID"):
        orders.add_order(profile, matching_id="")


def test_order_by_eid_is_found_by_that_card_only(orders: Orders, profile: bytes) -> None:
    """An order for an EID without a matching ID is found by that EID only."""
    order = orders.add_order(profile, eid=DEFAULT_EID)
    assert orders.find("", DEFAULT_EID) == order
    assert orders.find("", Eid("0" * 32)) is None


def test_unknown_order_is_not_found(orders: Orders) -> None:
    """A change of an order that does not exist raises NotFound."""
    with pytest.raises(NotFound):
        orders.change("nothing", attempts=1)


def test_damaged_order_is_named(orders: Orders, tmp_path: Path) -> None:
    """The error for a file that is not an order names the file."""
    (tmp_path / "orders" / "x.json").write_text("{}")
    with pytest.raises(InvalidValue, match=r"x\.json"):
        orders.all()


@pytest.mark.parametrize(
    ("digits", "coded"), [("26201", "62f210"), ("310260", "130062"), ("00101", "00f110")]
)
def test_operator_is_coded_as_networks_do(digits: str, coded: str) -> None:
    """MCC and MNC are encoded as in TS 24.008; a two-digit MNC gets a nibble F."""
    assert Owner(digits).encode().hex() == f"b7058003{coded}"


@pytest.mark.parametrize("digits", ["2620", "2620123", "26x01"])
def test_operator_of_another_length_is_refused(digits: str) -> None:
    """An operator's code that is not five or six digits is refused."""
    with pytest.raises(InvalidValue):
        Owner(digits)


@pytest.mark.parametrize(
    ("content", "bits"),
    [
        ("0780", {0}),
        ("0080", {0}),
        ("0480", {0}),
        ("0410", {3}),
        ("04f0", {0, 1, 2, 3}),
        ("", set()),
        ("00", set()),
    ],
)
def test_bits_are_read_trimmed_or_not(content: str, bits: set[int]) -> None:
    """The bits of a bit string are read, with or without trailing zero bits."""
    assert bits_of(bytes.fromhex(content)) == bits
