"""With --json, lpactl prints the API's own answers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from api.gateway import Gateway
from cli.conftest import Terminal
from engine.guarding import port
from engine.lab import CARD, FIRST, Lab
from lpad.cli.terminal import exit_codes
from lpad.client import ApiError, Client
from lpad.engine.listeners.listeners import Asker

if TYPE_CHECKING:
    from pathlib import Path

    from lpad.simulator.pki.pki import Pki

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
    """Return a terminal at a gateway whose card has a profile and some changes, and which has a listener."""
    terminal.lpactl("download", terminal.lab.code(terminal.lab.order())).ok()
    terminal.lpactl("enable", FIRST).ok()
    # Once nothing is pending, two answers differ only in their times.
    terminal.lab.until_true(lambda: not answer(terminal, f"/v1/euiccs/{CARD}/notifications")["pending"])
    terminal.lab.engine.listeners.connect("program", Asker(user=0, admin=True), after=None)
    return terminal


def answer(terminal: Terminal, path: str) -> Any:
    with Client(str(terminal.socket)) as client:
        return json.loads(client.request("GET", path))


@pytest.mark.parametrize(("arguments", "path"), READ_ONLY)
def test_the_json_is_the_api_s_answer(used: Terminal, arguments: tuple[str, ...], path: str) -> None:
    """The output equals the API's answer, with the same fields in the same order."""
    shown = used.lpactl(*arguments, "--json").ok().json
    assert list(_without_ages(shown)) == list(_without_ages(answer(used, path)))
    assert _without_ages(shown) == _without_ages(answer(used, path))


def test_status_is_made_of_answers(used: Terminal) -> None:
    """The JSON of `status` consists of the answers of /v1/system and /v1/euiccs/NAME."""
    shown = used.lpactl("status", "--json").ok().json
    assert shown["euiccs"] == [answer(used, CARD_PATH)]
    assert shown["system"].keys() == answer(used, "/v1/system").keys()


@pytest.mark.parametrize(
    "arguments", [("rename", FIRST, "home"), ("enable", FIRST), ("notifications", "deliver")]
)
def test_a_change_is_shown_as_it_ended(used: Terminal, arguments: tuple[str, ...]) -> None:
    """With --json, an ended change is shown with all fields of its record."""
    shown = used.lpactl(*arguments, "--json").ok().json
    assert shown == answer(used, f"/v1/changes/{shown['id']}")


def test_a_refusal_is_shown_as_the_problem(used: Terminal) -> None:
    """--json prints the API's problem document, and for lpactl's own errors a problem of the same form."""
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


def test_a_page_ends_with_the_option_for_the_next(used: Terminal) -> None:
    """A page of a list ends with the option that shows the next one."""
    assert "add --before 2" in used.lpactl("changes", "--limit", "1").ok().err
    assert "add --" not in used.lpactl("changes", "--limit", "2").ok().err
    assert used.lpactl("changes", "--limit", "1", "--json").ok().json["next"] == 2


def test_characters_that_control_the_terminal_are_escaped(used: Terminal) -> None:
    """Control characters are escaped as in JSON, so that the decoded value is the API's."""
    nickname = "a\x9b31m\u202e\x7f\U000e0001b"
    with Client(str(used.socket)) as client:
        client.rename(CARD, FIRST, nickname, wait=30).check()
    shown = used.lpactl("profiles", "--json").ok()
    assert shown.json["profiles"][0]["nickname"] == nickname
    assert shown.out.replace("\n", "").isprintable()
    assert r'"a\u009b31m\u202e\u007f\udb40\udc01b"' in shown.out


def test_a_question_that_cannot_be_asked(used: Terminal) -> None:
    """Without a terminal, one sentence names what would be deleted, and --yes; --json prints a problem."""
    refused = used.lpactl("delete", FIRST)
    assert refused.code == exit_codes.USAGE
    assert refused.err.count("\n") == 1
    assert f"({FIRST})? This cannot be undone, and its activation code is used up" in refused.err
    assert "add --yes" in refused.err
    assert used.lpactl("delete", FIRST, "--json").json["kind"] == "bad-request"


def test_no_card_and_several_cards(tmp_path: Path, pki: Pki) -> None:
    """Without a card, or with several, a card's command fails; --json prints a problem with the remedy."""
    with Lab(tmp_path, pki) as lab, Gateway(lab) as gateway:
        terminal = Terminal(lab, gateway.path)
        lab.engine.become([])
        none = terminal.lpactl("profiles", "--json")
        assert (none.code, none.json["kind"]) == (exit_codes.STATE, "not-found")
        assert "run 'lpad setup'" in none.json["detail"]
        lab.engine.become([replace(port(lab), name="one"), replace(port(lab), name="two")])
        several = terminal.lpactl("profiles", "--json")
        assert (several.code, several.json["kind"]) == (exit_codes.USAGE, "bad-request")
        assert "--euicc NAME; the daemon has: one, two" in several.json["detail"]


def _without_ages(shown: dict[str, Any]) -> dict[str, Any]:
    """Return an answer without the times that differ between two requests."""
    listeners = [each | {"absent_seconds": 0} for each in shown.get("listeners", [])]
    return shown | ({"listeners": listeners} if listeners else {})
