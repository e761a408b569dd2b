"""Orders in their folder: made, found, printed, changed."""

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
    """An added order is read back unchanged, with its profile."""
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
    """The header has the digits in order, the metadata in EF form; the number is the same."""
    assert iccid_of(profile) == Iccid.parse("8949000000000000015")
    assert orders.add_order(profile).metadata.iccid == "8949000000000000015"


@pytest.mark.test_data
def test_iccid_of_published_profiles(test_data: Path) -> None:
    """The TS.48 profiles have their published numbers."""
    numbers = {str(iccid_of(path.read_bytes())) for path in (test_data / "upp").glob("*.der")}
    assert len(numbers) == 3
    assert all(number.startswith("8949449999999990") for number in numbers)


@pytest.mark.parametrize("profile", [b"", b"PK\x03\x04", b"\xa0\x05\x80\x01\x02"])
def test_file_that_is_not_a_profile_is_refused(orders: Orders, profile: bytes) -> None:
    """An order for a file that is not a profile is refused with this reason."""
    with pytest.raises(InvalidValue, match="not a profile package"):
        orders.add_order(profile)


def test_activation_code_states_what_the_order_wants(orders: Orders, profile: bytes) -> None:
    """The code always has address and token; OID and the flag for a confirmation code only if ordered."""
    plain = orders.add_order(profile, matching_id="A-1")
    assert plain.activation_code("localhost:8443", "2.999.10") == "LPA:1$localhost:8443$A-1"
    named = orders.add_order(profile, matching_id="A-2", oid_in_code=True)
    assert named.activation_code("dp.example.com", "2.999.10", prefix="") == "1$dp.example.com$A-2$2.999.10"
    coded = orders.add_order(profile, matching_id="A-3", confirmation_code="1")
    assert coded.activation_code("dp.example.com", "2.999.10") == "LPA:1$dp.example.com$A-3$$1"
    both = orders.add_order(profile, matching_id="A-4", confirmation_code="1", oid_in_code=True)
    assert both.activation_code("dp.example.com", "2.999.10") == "LPA:1$dp.example.com$A-4$2.999.10$1"


def test_random_matching_ids_keep_the_alphabet(orders: Orders, profile: bytes) -> None:
    """Matching IDs have capitals, digits and dashes, and each one is new."""
    made = {orders.add_order(profile).matching_id for _ in range(5)}
    assert len(made) == 5
    assert all(re.fullmatch(r"[0-9A-Z-]+", one) for one in made)


def test_confirmation_code_is_not_kept(orders: Orders, profile: bytes, tmp_path: Path) -> None:
    """An order's file contains only a hash of the code, and only its owner may read the file."""
    order = orders.add_order(profile, confirmation_code="very secret")
    path = tmp_path / "orders" / f"{order.id}.json"
    assert b"very secret" not in path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600


def test_open_matching_id_is_taken_once(orders: Orders, profile: bytes) -> None:
    """A token in use is refused for another order, and is free again once its order has ended."""
    first = orders.add_order(profile, matching_id="TWICE")
    with pytest.raises(Conflict, match="has this matching ID"):
        orders.add_order(profile, matching_id="TWICE")
    orders.change(first.id, state=OrderState.INSTALLED)
    second = orders.add_order(profile, matching_id="TWICE")
    assert orders.find("TWICE", DEFAULT_EID) == second


def test_order_that_no_card_would_find_is_refused(orders: Orders, profile: bytes) -> None:
    """An order needs a token or an EID."""
    with pytest.raises(InvalidValue, match="matching ID or an EID"):
        orders.add_order(profile, matching_id="")


def test_order_by_eid_is_found_by_that_card_only(orders: Orders, profile: bytes) -> None:
    """Without a token, the EID decides which card finds the order."""
    order = orders.add_order(profile, eid=DEFAULT_EID)
    assert orders.find("", DEFAULT_EID) == order
    assert orders.find("", Eid("0" * 32)) is None


def test_unknown_order_is_not_found(orders: Orders) -> None:
    """A change of an order that does not exist is refused."""
    with pytest.raises(NotFound):
        orders.change("nothing", attempts=1)


def test_damaged_order_is_named(orders: Orders, tmp_path: Path) -> None:
    """The error names a file that is not an order."""
    (tmp_path / "orders" / "x.json").write_text("{}")
    with pytest.raises(InvalidValue, match=r"x\.json"):
        orders.all()


@pytest.mark.parametrize(
    ("digits", "coded"), [("26201", "62f210"), ("310260", "130062"), ("00101", "00f110")]
)
def test_operator_is_coded_as_networks_do(digits: str, coded: str) -> None:
    """MCC and MNC are coded in the order of TS 24.008, two-digit MNCs filled with F."""
    assert Owner(digits).encode().hex() == f"b7058003{coded}"


@pytest.mark.parametrize("digits", ["2620", "2620123", "26x01"])
def test_operator_of_another_length_is_refused(digits: str) -> None:
    """An operator's number has five or six digits; any other length is refused."""
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
    """Both forms that cards send are read, the trimmed and the complete one."""
    assert bits_of(bytes.fromhex(content)) == bits
