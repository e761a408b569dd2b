"""How values in platforms' answers are read: dotted paths, codes in many forms and long numbers."""

from __future__ import annotations

import pytest

from lpad.base.errors import MalformedError
from lpad.provisioning.declared import answer_reading as reading


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("a.b", "1"),
        ("list.1.x", "2"),
        ("list.9.x", None),
        ("a.b.c", None),
        ("nothing", None),
        ("null", None),
        ("empty", None),
        ("yes", "true"),
        ("list", None),
    ],
)
def test_paths_lead_through_objects_and_lists(path: str, found: str | None) -> None:
    """A path leads through objects and lists; null, empty values, objects and lists count as missing."""
    answer = reading.parsed(
        b'{"a": {"b": 1}, "list": [{"x": 0}, {"x": 2}], "null": null, "empty": "", "yes": true}'
    )
    assert reading.text_at(path, answer) == found


def test_numbers_keep_their_digits() -> None:
    """An ICCID that is sent as a number keeps all of its digits."""
    answer = reading.parsed(b'{"iccid": 89883070000123456789, "huge": 1e999, "nan": NaN}')
    assert reading.text_at("iccid", answer) == "89883070000123456789"
    assert reading.text_at("nan", answer) is None


@pytest.mark.parametrize("body", [b"", b"<html>", b"{", b"[" * 100_000, b"\xff\xfe{}"])
def test_invalid_json_is_malformed(body: bytes) -> None:
    """A body that is not valid JSON in UTF-8 is malformed."""
    with pytest.raises(MalformedError):
        reading.parsed(body)


@pytest.mark.parametrize(
    "body", [b'{"status": "new", "status": "active"}', b'{"sims": [{"id": 1, "id": 2}]}']
)
def test_a_field_that_comes_twice(body: bytes) -> None:
    """An answer in which a field occurs twice is malformed, because JSON parsers disagree on its value."""
    with pytest.raises(MalformedError, match="twice"):
        reading.parsed(body)


@pytest.mark.parametrize(
    ("told", "code"),
    [
        ({"code": "LPA:1$smdp.example.com$ABC"}, "LPA:1$smdp.example.com$ABC"),
        ({"code": "1$SMDP.EXAMPLE.COM$ABC-d"}, "LPA:1$smdp.example.com$ABC-d"),
        ({"smdp": "smdp.example.com", "matching": "ABC"}, "LPA:1$smdp.example.com$ABC"),
        ({"smdp": "http://smdp.example.com/", "matching": "ABC"}, "LPA:1$smdp.example.com$ABC"),
        ({"smdp": "https://smdp.example.com:8443/path", "matching": "A"}, "LPA:1$smdp.example.com:8443$A"),
        ({"code": "smdp.example.com", "matching": "ABC"}, "LPA:1$smdp.example.com$ABC"),
        ({"smdp": "smdp.example.com", "bound": True}, "LPA:1$smdp.example.com$"),
        ({"smdp": "smdp.example.com"}, None),
        ({"matching": "ABC"}, None),
        ({}, None),
    ],
)
def test_codes_are_read_in_each_form(told: dict[str, object], code: str | None) -> None:
    """A code may be whole, or host and matching ID; a host is enough if the EID finds the profile."""
    parts: dict[str, object] = {"code": None, "smdp": None, "matching": None, "bound": False, **told}
    ticket = reading.ticket(**parts)  # type: ignore[arg-type]  # of the table
    assert (None if ticket is None else str(ticket)) == code


@pytest.mark.parametrize("told", [{"code": "1$$"}, {"smdp": "no host!", "matching": "A"}])
def test_an_invalid_code_is_malformed_and_not_shown(told: dict[str, str]) -> None:
    """An invalid code in an answer is malformed."""
    parts = {"code": None, "smdp": None, "matching": None, **told}
    with pytest.raises(MalformedError):
        reading.ticket(bound=False, **parts)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("8988307000012345678", "8988307000012345678F", True),
        ("898830700001234567", "8988307000012345678", True),
        ("8988307000012345678", "89883070000123456789", True),
        ("8988307000012345678", "8988307000012345679", False),
        ("89883", "898830", False),
        ("8988 3070-0000 1234 567", "8988307000001234567", True),
    ],
)
def test_the_same_iccid(one: str, other: str, *, same: bool) -> None:
    """An ICCID is the same with padding, and with or without its check digit."""
    assert reading.same_iccid(one, other) is same
    assert reading.same_iccid(other, one) is same


def test_words_are_bounded() -> None:
    """A platform's text is shortened to one line of limited length without control characters."""
    assert reading.said("a\r\nb\x00c") == "a b c"
    assert len(reading.said("x" * 10_000)) == reading.LONGEST_WORDS + 1


@pytest.mark.parametrize(
    ("text", "iccid"),
    [
        ("8988 3070 0000 1234 567", "8988307000001234567"),
        ("8988307000012345678f", "8988307000012345678"),
        ("898604b70123456789FF", "898604B70123456789"),
        ("89883070000123456F789", None),
        ("12345", None),
        (None, None),
    ],
)
def test_an_iccid_without_its_padding(text: str | None, iccid: str | None) -> None:
    """An ICCID is read with blanks, capitals and padding; an invalid one is None."""
    assert reading.iccid(text) == iccid


def test_half_a_character_is_replaced() -> None:
    """Half a surrogate pair in an answer is replaced by U+FFFD, so that the answer can be stored."""
    answer = reading.parsed(
        b'{"id": "7\\ud800", "\\udfff": ["\\ud83d\\ude00", ["\\udc00"]], "a": {"b": "\\ud800x"}}'
    )
    assert answer == {"id": "7\ufffd", "\ufffd": ["\U0001f600", ["\ufffd"]], "a": {"b": "\ufffdx"}}
    assert reading.parsed(b'["\\ud800"]') == ["\ufffd"]
    assert reading.parsed(b'"\\ud800"') == "\ufffd"


@pytest.mark.parametrize("smdp", ["https://[x", "http://[::1", "https://a\u2100b/", "https://[v9.x]/"])
def test_an_address_that_is_not_a_url(smdp: str) -> None:
    """An SM-DP+ address that is not a valid URL is malformed."""
    with pytest.raises(MalformedError):
        reading.ticket(code=None, smdp=smdp, matching="M", bound=False)
