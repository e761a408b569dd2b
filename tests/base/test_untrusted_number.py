"""Reading numbers from text and JSON that lpad did not write."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lpad.base.untrusted_number import (
    LARGEST,
    decimal_number,
    hexadecimal_number,
    json_number,
    noted_number,
    whole_number,
)

LONG = "1" * 5000


@pytest.mark.parametrize(
    "text", ["", LONG, "9" * 21, "٣", "²", "1_0", " 1", "1\n", "+1", "-1", "0x10", "1.0", "65536"]
)
def test_invalid_whole_numbers_are_refused(text: str) -> None:
    """Digits of other scripts, blanks, signs, underscores and numbers out of range are refused."""
    assert whole_number(text, most=65535) is None


def test_whole_numbers_within_their_bounds_are_read() -> None:
    """A number equal to a bound is read; a minus sign is accepted if the range has negative numbers."""
    assert whole_number("0", most=65535) == 0
    assert whole_number("00443", most=65535) == 443
    assert whole_number("65535", most=65535) == 65535
    assert whole_number("-9223372036854775808", least=-LARGEST - 1) == -LARGEST - 1
    assert whole_number(str(LARGEST)) == LARGEST
    assert whole_number(str(LARGEST + 1)) is None
    assert whole_number("4", least=5, most=9) is None


@pytest.mark.parametrize("text", ["", "G", "F" * 17, "٣", "-1", "0x1", "100"])
def test_invalid_hexadecimal_numbers_are_refused(text: str) -> None:
    """Signs, prefixes, other scripts and numbers out of range are refused."""
    assert hexadecimal_number(text, most=0xFF) is None


def test_hexadecimal_numbers_are_read_in_either_case() -> None:
    """Hexadecimal numbers are read in either case, up to the bound."""
    assert hexadecimal_number("fF", most=0xFF) == 0xFF


@pytest.mark.parametrize(
    "text", ["", "nan", "inf", "-inf", "1e999", "1e400", LONG, "٣", "1_0", " 1", "-0.5", "3601"]
)
def test_invalid_decimal_numbers_are_refused(text: str) -> None:
    """Texts that only float() accepts are refused, and so are numbers out of range."""
    assert decimal_number(text, most=3600) is None


def test_decimal_numbers_with_fraction_and_exponent_are_read() -> None:
    """Whole numbers, fractions and exponents are accepted."""
    assert [decimal_number(text, most=3600) for text in ("0", "2.5", "1e3", "36E+2")] == [0, 2.5, 1000, 3600]


def test_long_number_in_json() -> None:
    """A number of 5,000 digits in JSON is read as infinity, and the fields next to it can be read."""
    read = json.loads(f'{{"a": {LONG}, "b": -{LONG}, "c": 7}}', parse_int=json_number)
    assert read == {"a": math.inf, "b": math.inf, "c": 7}


@pytest.mark.parametrize("value", [None, "12", True, math.nan, math.inf, -1, 10**30, [1]])
def test_an_impossible_stored_number_is_replaced(value: object) -> None:
    """A stored number that is impossible is replaced by the default."""
    assert noted_number(value, default=3.0, most=100.0) == 3.0


@given(st.text(max_size=40) | st.from_regex(r"-?[0-9]{1,40}\.?[0-9]*", fullmatch=True))
def test_any_text_is_a_number_in_range_or_nothing(text: str) -> None:
    """Whatever the text is, the readers return a number in range or None."""
    whole, hexadecimal = whole_number(text, most=99), hexadecimal_number(text, most=99)
    assert whole is None or 0 <= whole <= 99
    assert hexadecimal is None or 0 <= hexadecimal <= 99
    fraction = decimal_number(text, most=99)
    assert fraction is None or 0 <= fraction <= 99
