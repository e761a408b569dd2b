"""The check of platform files, which needs no network."""

from __future__ import annotations

from typing import Any

import pytest

from lpad.provisioning.declared.platform_file import declaration, read_declaration, shipped
from lpad.provisioning.declared.platform_file_check import check

RIGHT: dict[str, Any] = {
    "title": "Test",
    "base": "https://platform.example.com",
    "credentials": ["key"],
    "headers": {"Authorization": "Bearer {credential.key}"},
    "can": {"repeats": True},
    "calls": {
        "order": {"post": "/orders", "json": {"eid": "{eid}"}, "read": {"id": "id", "profile": "state"}},
        "look": {"get": "/orders/{id}", "read": {"id": "id", "profile": "state"}},
    },
    "profile": {"new": "pending", "ready": "available"},
    "samples": {"look": [{"id": 1, "state": "ready"}]},
}


@pytest.mark.parametrize("name", shipped())
def test_the_shipped_ones_are_right(name: str) -> None:
    """Each shipped platform file passes the check, and its samples contain the states of its tables."""
    described = read_declaration(shipped()[name])
    assert check(described) == []
    assert described.samples
    text = str(described.samples)
    for word in (*described.profile, *described.line, *described.order):
        if word not in ("enabling", "disabling", "registering", "setting_standby", "standby"):
            assert word in text or name in ("soracom", "telnyx"), (name, word)


def test_a_valid_description_has_no_mistakes() -> None:
    """A small valid platform file passes the check."""
    assert check(declaration(RIGHT, where="test")) == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"headers": {"X": "{credential.other}"}}, "'other' is used, but not listed"),
        ({"headers": {}}, "'key' is listed, but not used"),
        ({"headers": {"X": "{nothing}{credential.key}"}}, "unknown placeholder {nothing}"),
        ({"headers": {"X": "{option.plan}{credential.key}"}}, "'plan' is used"),
        ({"headers": {"X": "{token.value}{credential.key}"}}, "'token' is missing"),
        ({"headers": {"X": "{sign}{credential.key}"}}, "'sign' is missing"),
        ({"samples": {"look": [{"id": 1, "state": "shiny"}]}}, "the state 'shiny' is in no table"),
        ({"samples": {"look": [{"other": 1}]}}, "the call reads no field"),
        ({"samples": {"gaze": [{}]}}, "no call of this name"),
        ({"base": "http://platform.example.com"}, "https://"),
        ({"can": {}}, "neither find nor repeat"),
        ({"can": {"repeats": True, "releases": True}}, "requires the call 'release'"),
        ({"profile": {}}, "the table 'profile' is empty"),
    ],
)
def test_each_mistake_has_a_sentence(changes: dict[str, Any], told: str) -> None:
    """The check reports each mistake in a platform file with a sentence."""
    assert any(told in each for each in check(declaration({**RIGHT, **changes}, where="test")))
