"""The AT commands for PDP contexts, and modems' answers in their different forms."""

from __future__ import annotations

import pytest

from lpad.base.errors import InvalidValue
from lpad.protocol.at_dialogue import AtAnswer
from lpad.protocol.pdp_context_commands import (
    AuthenticationCommand,
    PdpContext,
    addresses_told,
    authentication,
    contexts_told,
    esm_cause_told,
    is_active,
    is_attached,
    reject_cause_told,
)

CONTEXT = PdpContext(1, "IPV4V6", "iot.example")


def answer(*lines: str) -> AtAnswer:
    return AtAnswer(lines, "OK")


def test_stored_contexts_are_read() -> None:
    """Contexts are read with or without further fields; other lines and invalid numbers are ignored."""
    told = contexts_told(
        answer(
            '1,"IPV4V6","iot.example","",0,0,0,0',
            '2,"IP",""',
            '3,"IPV6"',
            "4",
            "x",
            '99999,"IP","a"',
            '99,"IP","a"',
        )
    )
    assert told == {1: CONTEXT, 2: PdpContext(2, "IP", ""), 3: PdpContext(3, "IPV6", "")}


@pytest.mark.parametrize(
    ("lines", "addresses"),
    [
        (('1,"10.64.0.2"',), ("10.64.0.2",)),
        (("1,10.64.0.2,2001:db8::2",), ("10.64.0.2", "2001:db8::2")),
        (
            ('1,"10.64.0.2","32.1.13.184.0.0.0.0.0.0.0.0.0.0.0.2"',),
            ("10.64.0.2", "2001:db8::2"),
        ),
        (('1,"0.0.0.0"',), ()),
        (("1",), ()),
        (('1,""',), ()),
        (('1,"999.1.1.1","1.2.3.4.5.6.7.8.9.10.11.12.13.14.15.999"',), ()),
    ],
)
def test_addresses_of_both_families_are_read(lines: tuple[str, ...], addresses: tuple[str, ...]) -> None:
    """IPv4 and IPv6 addresses are read, IPv6 in both notations; unset and invalid ones are omitted."""
    assert addresses_told(answer(*lines)) == addresses


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("ESM cause 27", 27),
        ("EPS PDN connectivity failure, cause: 33", 33),
        ("ESM, #50", 50),
        ("No cause information available", None),
        ("SM cause 999", None),
        ("", None),
    ],
)
def test_the_cause_is_found_in_each_familys_report(text: str, code: int | None) -> None:
    """The ESM cause is found in the report of each modem family; without a valid one it is None."""
    assert esm_cause_told(answer(text)) == code


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("3,3,,,,0,19", 19),
        ('3,3,"1A2B","01A2B3C4",7,0,11', 11),
        ("3,3,,,,1,19", None),
        ("3,3", None),
        ("0,3", None),
        ("3,3,,,,0,999", None),
    ],
)
def test_only_standard_reject_causes_are_reported(text: str, code: int | None) -> None:
    """Only valid reject causes of cause type 0, the standard's, are reported."""
    assert reject_cause_told(answer(text)) == code


def test_contexts_and_attachment_are_read() -> None:
    """A context is active or not, and the modem is attached or not, or None if the answer lacks this."""
    assert is_active(answer("1,1", "2,0"), 1) is True
    assert is_active(answer("1,1", "2,0"), 2) is False
    assert is_active(answer("1,1"), 3) is None
    assert [is_attached(answer(each)) for each in ("1", "0", "x")] == [True, False, None]
    assert is_attached(answer()) is None


@pytest.mark.parametrize(
    ("command", "text"),
    [
        (AuthenticationCommand.CGAUTH, 'AT+CGAUTH=1,2,"u","p"'),
        (AuthenticationCommand.CGAUTH_SWAPPED, 'AT+CGAUTH=1,2,"p","u"'),
        (AuthenticationCommand.QICSGP, 'AT+QICSGP=1,3,"iot.example","u","p",2'),
        (AuthenticationCommand.PDPAUTH, 'AT#PDPAUTH=1,2,"u","p"'),
    ],
)
def test_authentication_has_each_familys_order(command: AuthenticationCommand, text: str) -> None:
    """The authentication command has the parameters in the order of each modem family."""
    assert authentication(command, CONTEXT, kind=2, username="u", password="p").text == text


@pytest.mark.parametrize("password", ['a"b', "a\\b", "a;b", "a\rb"])
def test_unsafe_credentials_are_refused(password: str) -> None:
    """Credentials with characters that would end or change the AT command are refused."""
    with pytest.raises(InvalidValue):
        authentication(AuthenticationCommand.CGAUTH, CONTEXT, kind=1, username="u", password=password)
