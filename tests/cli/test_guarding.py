"""Guards on the command line."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING

import pytest

from engine.guarding import THIRD
from engine.lab import FIRST, SECOND
from lpad.cli.terminal import exit_codes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cli.conftest import Terminal


@pytest.fixture
def two(terminal: Terminal) -> Terminal:
    """Return a terminal at a gateway whose card has two profiles, the first of which is enabled."""
    terminal.lab.install()
    terminal.lab.install(iccid=SECOND, name="Second")
    assert terminal.lpactl("enable", FIRST).code == 0
    return terminal


@pytest.fixture
def listener() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_guard_that_is_met(two: Terminal, listener: int) -> None:
    """A profile whose guard is met stays enabled."""
    done = two.lpactl("enable", "Second", "--guard", f"tcp:127.0.0.1:{listener}@lo", "--within", "60")
    assert done.code == 0, done.err
    assert done.out.splitlines()[0] == f"{SECOND} is enabled"


def test_a_guard_that_is_not_met(two: Terminal) -> None:
    """If a guard is not met, the exit code is that of a rollback, and the output states what was observed."""
    failed = two.lpactl("enable", "Second", "--guard", "tcp:127.0.0.1:1@lo", "--within", "2")
    assert failed.code == exit_codes.TAKEN_BACK
    assert "connection refused" in failed.err
    assert f"the previous profile …{FIRST[-4:]}" in failed.err
    assert "switch-rolled-back" in failed.err


def test_a_change_is_confirmed_by_its_number(two: Terminal) -> None:
    """Status and change show that a confirmation is needed; the change's number confirms the switch."""
    asked = two.lpactl("enable", "Second", "--guard", "confirm", "--no-wait", "--json")
    number = json.loads(asked.out)["id"]
    two.lab.asked(number)
    status = two.lpactl("status")
    assert f"change {number} has profile {SECOND} on trial (watching)" in status.err
    assert f"'lpactl cancel {number}' rolls the switch back" in status.err
    assert f"lpactl confirm {number}" in status.err
    shown = two.lpactl("changes", str(number)).out
    assert "previous profile" in shown
    assert "no program has confirmed it" in shown
    assert two.lpactl("confirm", str(number)).code == 0
    assert two.lab.ended(number).error is None
    assert two.lpactl("confirm", str(number)).code == exit_codes.STATE


def test_a_download_under_a_guard(two: Terminal) -> None:
    """The downloaded profile is enabled under the guard; after a rollback it stays installed."""
    code = two.lab.code(two.lab.order(iccid=THIRD, name="Third"))
    asked = two.lpactl(
        "download", code, "--enable", "--guard", "confirm", "--within", "60", "--no-wait", "--json"
    )
    number = json.loads(asked.out)["id"]
    two.lab.asked(number)
    assert f"change {number} has profile it downloaded on trial (watching)" in two.lpactl("status").err
    assert two.lpactl("confirm", str(number), "--no").code == 0
    error = two.lab.ended(number).error
    assert error is not None
    assert error.details["installed"] == THIRD
    assert str(two.lab.card.enabled_iccid) == FIRST


@pytest.mark.parametrize(
    ("arguments", "says"),
    [(("--guard", "confirm"), "add --enable"), (("--enable", "--within", "60"), "needs --guard")],
)
def test_a_guard_of_nothing(two: Terminal, arguments: tuple[str, ...], says: str) -> None:
    """A guard without a switch is refused, and so is a limit without a guard."""
    refused = two.lpactl("download", "--default", *arguments)
    assert refused.code == exit_codes.USAGE
    assert says in refused.err


def test_confirm_no_rolls_back_immediately(two: Terminal) -> None:
    """`confirm --no` rolls back immediately."""
    asked = two.lpactl("enable", "Second", "--guard", "confirm", "--no-wait", "--json")
    number = json.loads(asked.out)["id"]
    two.lab.asked(number)
    assert two.lpactl("confirm", str(number), "--no").code == 0
    error = two.lab.ended(number).error
    assert error is not None
    assert error.details["reason"] == "refused"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--guard", "registred"), "not a known condition"),
        (("--guard", "confirm", "--within", "0"), "at least 1"),
        (("--guard", "confirm", "--guard", "confirm"), "named once"),
        (("--within", "60"), "needs --guard"),
    ],
)
def test_a_guard_that_can_t_be(two: Terminal, arguments: tuple[str, ...], says: str) -> None:
    """An impossible guard is refused, and nothing is switched."""
    refused = two.lpactl("enable", "Second", *arguments)
    assert refused.code == exit_codes.USAGE
    assert says in refused.err
    assert str(two.lab.card.enabled_iccid) == FIRST
