"""A profile is addressed by its ICCID, the ICCID's last digits, its nickname or its name, if unique."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.lab import FIRST, SECOND
from lpad.cli.terminal import exit_codes

if TYPE_CHECKING:
    from cli.conftest import Terminal


@pytest.fixture
def two(terminal: Terminal) -> Terminal:
    terminal.lab.install(name="Same")
    terminal.lab.install(iccid=SECOND, name="Same")
    return terminal


def test_a_name_of_several_profiles(two: Terminal) -> None:
    """If several profiles have the given name, the error lists them, as text and as JSON."""
    done = two.lpactl("enable", "Same")
    assert done.code == exit_codes.STATE
    assert f"{FIRST} Same; {SECOND} Same" in done.err
    error = two.lpactl("enable", "Same", "--json").json
    assert (error["kind"], error["details"]["candidates"]) == (
        "conflict",
        [f"{FIRST} Same", f"{SECOND} Same"],
    )


def test_an_unknown_name(two: Terminal) -> None:
    """The error for an unknown name lists the profiles on the card."""
    done = two.lpactl("enable", "Another")
    assert done.code == exit_codes.STATE
    assert "no profile on modem matches 'Another'; the card has: " in done.err
    assert two.lpactl("enable", "Another", "--json").json["kind"] == "not-found"


def test_nicknames_are_unique(two: Terminal) -> None:
    """A second profile does not get the same nickname; a profile may keep its own."""
    two.lpactl("rename", FIRST, "home").ok()
    done = two.lpactl("rename", SECOND, "home")
    assert done.code == exit_codes.STATE
    assert f"profile …{FIRST[-4:]} has it already" in done.err
    two.lpactl("rename", FIRST, "home").ok()
    two.lpactl("rename", SECOND, "").ok()
    assert "is enabled" in two.lpactl("enable", "home").ok().out
