"""lpactl's commands that change something: safe unless told otherwise, and a line with the result."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from cli.conftest import at_a_terminal
from engine.guarding import enabled, port
from engine.lab import FIRST, SECOND
from lpad.cli.terminal import exit_codes
from lpad.engine.change.change import Kind
from lpad.engine.change.params import GuardParams
from lpad.engine.policy.networking import NetworkPolicy
from lpad.engine.policy.switching import SwitchPolicy
from lpad.engine.switch import condition_watch
from lpad.network.at_applier import AtApplier

if TYPE_CHECKING:
    from cli.conftest import Terminal

COMMANDS = [("disable", FIRST), ("reset", "--operational", "--yes")]


@pytest.fixture
def online(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal at a gateway whose card is in a modem, with one of two profiles enabled."""
    monkeypatch.setattr(condition_watch, "STEADY", 0.3)
    lab = terminal.lab
    lab.install()
    lab.install(iccid=SECOND, name="Second")
    terminal.lpactl("enable", FIRST).ok()
    policy = SwitchPolicy(default_guard=GuardParams(until=("registered",), within=20))
    modem = replace(
        port(lab), device="/dev/ttyUSB2", policy=policy, network=NetworkPolicy(applier=AtApplier())
    )
    lab.engine.become([modem])
    return terminal


def test_an_enable_ends_with_one_line(online: Terminal) -> None:
    """Profile, operator, registration and address, as far as lpad has seen them."""
    last = online.lpactl("enable", SECOND).ok().out.splitlines()[-1]
    assert last.startswith(
        "profile Second; operator lpad simulator; registration CEREG 1 (registered at home)"
    )
    assert last.endswith("; address 10.64.0.2, 2001:db8::2")


def test_an_enable_without_guard_says_so(online: Terminal) -> None:
    """`--no-guard` takes not even the default one, and the line has what a look at the end has seen."""
    last = online.lpactl("enable", SECOND, "--no-guard").ok().out.splitlines()[-1]
    assert "; registration CEREG 1 (registered at home)" in last
    assert "; address 10.64.0.2" in last
    assert online.lpactl("enable", FIRST, "--no-guard", "--guard", "registered").code == exit_codes.USAGE


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("answer", ["n", "y"])
def test_a_person_is_asked_before_going_offline(
    online: Terminal, command: tuple[str, ...], answer: str
) -> None:
    """At a terminal the question has the profile's name and the consequence, and the answer decides."""
    online.lab.carry_out(Kind.RENAME, iccid=FIRST, nickname="Winter")
    code, told = at_a_terminal([*online.command, *command], answer)
    assert "'Winter'" in told
    assert "goes offline" in told
    yes = answer == "y"
    assert code == (0 if yes else exit_codes.NEEDS_PEOPLE), told
    assert enabled(online.lab) == (None if yes else FIRST)


@pytest.mark.parametrize("command", COMMANDS)
def test_going_offline_has_to_be_accepted(online: Terminal, command: tuple[str, ...]) -> None:
    """Where nobody can be asked, the option is needed; the refusal names it."""
    refused = online.lpactl(*command)
    assert refused.code == exit_codes.STATE
    assert "--accept-offline" in refused.err
    online.lpactl(*command, "--accept-offline").ok()
