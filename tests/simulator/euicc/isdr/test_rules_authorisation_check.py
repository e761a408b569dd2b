"""The simulated card's check of Profile Policy Rules against its Rules Authorisation Table."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lpad.simulator.euicc.chip.behaviour import Operator, RatRule
from lpad.simulator.euicc.isdr.rules_authorisation_check import (
    bit_string,
    bits_of,
    has_wildcard,
    mcc_mnc_bytes,
    mcc_mnc_digits,
    rat_allows,
    rat_rows,
)


@given(st.frozensets(st.integers(0, 31)))
def test_a_set_of_bits_is_read_back(bits: frozenset[int]) -> None:
    """A set of bit numbers is read back from its bit string, whose last bit is the highest of the set."""
    data, count = bit_string(bits)
    assert bits_of((data, count)) == bits
    assert count == max(bits, default=-1) + 1


def test_bits_of_nothing() -> None:
    """A missing bit string has no bits, and trailing zero bits change nothing."""
    assert bits_of(None) == frozenset()
    assert bits_of((b"\x80\x00", 16)) == {0}


@pytest.mark.parametrize(("digits", "data"), [("26202", "62F220"), ("310150", "130051"), ("00101", "00F110")])
def test_an_operators_code_has_3gpps_nibble_order(digits: str, data: str) -> None:
    """MCC and MNC are encoded in the nibble order of 3GPP TS 24.008, and decoded from it."""
    assert mcc_mnc_bytes(digits).hex().upper() == data
    assert mcc_mnc_digits(bytes.fromhex(data)) == digits


ANY = Operator()
ONE = Operator(mcc_mnc="26202", gid1=None, gid2=None)


@pytest.mark.parametrize(
    ("operators", "owner", "allowed"),
    [
        ((ANY,), {"mccMnc": "62F220"}, True),
        ((ANY,), {"mccMnc": "62F220", "gid1": b"\x01"}, True),
        ((ONE,), {"mccMnc": "62F220"}, True),
        ((ONE,), {"mccMnc": "62F220", "gid1": b"", "gid2": b""}, True),
        ((ONE,), {"mccMnc": "62F220", "gid1": b"\x01"}, False),
        ((ONE,), {"mccMnc": "62F230"}, False),
        ((ONE, ANY), {"mccMnc": "62F230"}, True),
        ((), {"mccMnc": "62F220"}, False),
        ((Operator(mcc_mnc="262EE"),), {"mccMnc": "62F230"}, True),
        ((Operator(mcc_mnc="262EE"),), {"mccMnc": "62F130"}, False),
        ((Operator(mcc_mnc="262EE"),), {"mccMnc": "13F030"}, False),
        ((Operator(mcc_mnc="26202", gid1="AB"),), {"mccMnc": "62F220", "gid1": b"\xab"}, True),
        ((Operator(mcc_mnc="26202", gid1="AB"),), {"mccMnc": "62F220"}, False),
    ],
)
def test_a_rule_is_allowed_by_a_matching_row(
    operators: tuple[Operator, ...],
    owner: dict[str, Any],
    allowed: bool,  # noqa: FBT001 - a table's column
) -> None:
    """A rule is allowed if a row of the table contains the rule and an operator that matches."""
    owner = {**owner, "mccMnc": bytes.fromhex(owner["mccMnc"])}
    rows = rat_rows([RatRule(pprs=(2,)), RatRule(pprs=(1,), operators=operators)])
    assert rat_allows(1, owner, rows) is allowed
    assert rat_allows(2, owner, rows)


def test_wildcards_are_valid_only_in_the_table() -> None:
    """An operator's code with a nibble E has a wildcard; a code with only digits and F has none."""
    assert has_wildcard({"mccMnc": bytes.fromhex("62FE20")})
    assert not has_wildcard({"mccMnc": bytes.fromhex("62F220")})
