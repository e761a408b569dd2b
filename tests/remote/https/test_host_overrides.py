"""Overrides that lead host names to other hosts, as in a laboratory."""

from __future__ import annotations

import pytest

from lpad.base.errors import InvalidSettings
from lpad.remote.https.host_overrides import HostOverrides


@pytest.mark.parametrize(
    ("override", "asked", "found"),
    [
        ({"smdp.example.com": "127.0.0.1:8443"}, ("smdp.example.com", 443), ("127.0.0.1", 8443)),
        ({"SMDP.example.com": "127.0.0.1"}, ("smdp.example.com", 443), ("127.0.0.1", 443)),
        ({"smdp.example.com:8443": "[::1]:9000"}, ("smdp.example.com", 8443), ("::1", 9000)),
        ({"smdp.example.com:8443": "lab"}, ("smdp.example.com", 8443), ("lab", 8443)),
        ({"smdp.example.com": "127.0.0.1:8443"}, ("smdp.example.com", 8443), ("smdp.example.com", 8443)),
        ({}, ("smdp.example.com", 443), ("smdp.example.com", 443)),
        (None, ("smdp.example.com", 443), ("smdp.example.com", 443)),
    ],
)
def test_an_overridden_name_leads_to_its_target(
    override: dict[str, str] | None, asked: tuple[str, int], found: tuple[str, int]
) -> None:
    """An overridden name and port lead to the override's target, and all others to their usual hosts."""
    assert HostOverrides.parse(override).resolve(*asked) == found


@pytest.mark.parametrize(
    ("name", "target"),
    [("https://x", "127.0.0.1"), ("x", "127.0.0.1:0"), ("x", "127.0.0.1:70000"), ("x", "::1"), ("x", "a b")],
)
def test_an_invalid_override_is_named(name: str, target: str) -> None:
    """An override with an invalid name or target is an error in the setting `hosts`."""
    with pytest.raises(InvalidSettings, match="hosts"):
        HostOverrides.parse({name: target})
