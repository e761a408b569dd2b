"""The conditions of a guard, as text."""

from __future__ import annotations

import pytest

from lpad.base.errors import InvalidValue
from lpad.base.guard_condition import Condition, ConditionKind


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("registered", {"kind": ConditionKind.REGISTERED}),
        ("confirm", {"kind": ConditionKind.CONFIRM}),
        ("tcp:example.com:443", {"host": "example.com", "port": 443, "interface": None}),
        ("tcp:[2001:db8::1]:22@wwan0", {"host": "2001:db8::1", "port": 22, "interface": "wwan0"}),
        ("http://example.com", {"host": "example.com", "port": 80, "path": "/", "status": None}),
        ("https://example.com/a?b=1#204@wwan0", {"port": 443, "path": "/a?b=1", "status": 204}),
        ("http://192.0.2.1:8080/x@ppp0", {"host": "192.0.2.1", "port": 8080, "interface": "ppp0"}),
        ("dns:example.com", {"name": "example.com", "host": "", "port": 53}),
        ("dns:example.com./9.9.9.9@wwan0", {"name": "example.com", "host": "9.9.9.9"}),
        ("dns:example.com/[2620:fe::fe]:5353", {"host": "2620:fe::fe", "port": 5353}),
    ],
)
def test_reads_a_condition(text: str, fields: dict[str, object]) -> None:
    """Each form of a condition is read, with and without its optional parts; its text stays unchanged."""
    condition = Condition.parse(text)
    assert {name: getattr(condition, name) for name in fields} == fields
    assert str(condition) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "register",
        "registered@wwan0",
        "tcp:example.com",
        "tcp:example.com:0",
        "tcp:example.com:65536",
        "tcp:example.com:443@",
        "tcp:example.com:443@an-interface-too-long",
        "tcp:[::g]:443",
        "http://user@example.com/",
        "http://example.com/a b",
        "http://example.com/#20",
        "ftp://example.com",
        "dns:",
        "dns:example..com",
        "dns:example.com/dns.example.com",
        "tcp:" + "a" * 250 + ":443",
    ],
)
def test_refuses_invalid_conditions(text: str) -> None:
    """An invalid condition is refused as soon as it is parsed, before any switch."""
    with pytest.raises(InvalidValue):
        Condition.parse(text)
