"""With --json, lpactl prints the API's own answers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from engine.lab import CARD, FIRST
from lpad.cli.terminal import exit_codes
from lpad.client import ApiError, Client
from lpad.engine.listeners.listeners import Asker

if TYPE_CHECKING:
    from cli.conftest import Terminal

CARD_PATH = f"/v1/euiccs/{CARD}"
READ_ONLY = (
    (("info",), CARD_PATH),
    (("profiles",), f"{CARD_PATH}/profiles"),
    (("profiles", "--limit", "1"), f"{CARD_PATH}/profiles"),
    (("notifications",), f"{CARD_PATH}/notifications"),
    (("notifications", "--after", "99"), f"{CARD_PATH}/notifications?after=99"),
    (("changes",), "/v1/changes"),
    (("changes", "--limit", "1"), "/v1/changes?limit=1"),
    (("changes", "--limit", "1", "--before", "2"), "/v1/changes?limit=1&before=2"),
    (("changes", "--state", "done"), "/v1/changes"),
    (("changes", "1"), "/v1/changes/1"),
    (("listeners",), "/v1/listeners"),
    (("webhooks",), "/v1/webhooks"),
    (("network", "show", FIRST), f"{CARD_PATH}/profiles/{FIRST}/network"),
)


@pytest.fixture
def used(terminal: Terminal) -> Terminal:
    """A card with a profile, some history and a listener."""
    terminal.lpactl("download", terminal.lab.code(terminal.lab.order())).ok()
    terminal.lpactl("enable", FIRST).ok()
    terminal.lab.engine.listeners.connect("program", Asker(user=0, admin=True), after=None)
    return terminal


def answer(terminal: Terminal, path: str) -> Any:
    with Client(str(terminal.socket)) as client:
        return json.loads(client.request("GET", path))


@pytest.mark.parametrize(("arguments", "path"), READ_ONLY)
def test_what_is_shown_is_the_answer(used: Terminal, arguments: tuple[str, ...], path: str) -> None:
    """The frame of a list, the order of the fields and the fields that the client does not know remain."""
    shown = used.lpactl(*arguments, "--json").ok().json
    assert list(_without_ages(shown)) == list(_without_ages(answer(used, path)))
    assert _without_ages(shown) == _without_ages(answer(used, path))


def test_status_is_made_of_answers(used: Terminal) -> None:
    """It has what /v1/system and /v1/euiccs/NAME answer."""
    shown = used.lpactl("status", "--json").ok().json
    assert shown["euiccs"] == [answer(used, CARD_PATH)]
    assert shown["system"].keys() == answer(used, "/v1/system").keys()


@pytest.mark.parametrize("arguments", [("rename", FIRST, "home"), ("enable", FIRST), ("refresh",)])
def test_a_change_is_shown_as_it_ended(used: Terminal, arguments: tuple[str, ...]) -> None:
    """All fields of the record are shown."""
    shown = used.lpactl(*arguments, "--json").ok().json
    assert shown == answer(used, f"/v1/changes/{shown['id']}")


def test_a_refusal_is_shown_as_the_problem(used: Terminal) -> None:
    """The problem document is printed, and one of the same form if the error arises in lpactl."""
    refused = used.lpactl("changes", "99", "--json")
    with Client(str(used.socket)) as client, pytest.raises(ApiError) as raised:
        client.change(99)
    assert refused.json == raised.value.problem
    assert refused.json["status"] == 404
    assert refused.code == exit_codes.STATE
    unknown = used.lpactl("enable", "nobody", "--json")
    assert unknown.code == exit_codes.STATE
    assert unknown.json.keys() == refused.json.keys() - {"status"}
    assert (unknown.json["kind"], unknown.json["type"]) == ("not-found", "urn:lpad:error:not-found")


def test_pages_continue(used: Terminal) -> None:
    """A part of a list says how to get the next one."""
    assert "add --before 2" in used.lpactl("changes", "--limit", "1").ok().err
    assert "add --" not in used.lpactl("changes", "--limit", "2").ok().err
    assert used.lpactl("changes", "--limit", "1", "--json").ok().json["next"] == 2


def _without_ages(shown: dict[str, Any]) -> dict[str, Any]:
    """Return an answer without what passes between two requests."""
    listeners = [each | {"absent_seconds": 0} for each in shown.get("listeners", [])]
    return shown | ({"listeners": listeners} if listeners else {})
