"""`lpactl line`, and the other commands that show a profile's line, run as processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from api.gateway import Gateway
from cli.conftest import Terminal, at_a_terminal
from engine.guarding import port
from engine.lab import FIRST, SECOND
from engine.lines.line_lab import LineLab, lines
from lpad.cli.terminal import exit_codes
from lpad.engine.lines import line_watch
from lpad.simulator.platform.reservations import Line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lpad.simulator.pki.pki import Pki


UNSERVED = {"suspend": Line.IDLE, "retire": Line.ENDED}
"""The state of a line after each request that ends its service."""


def line_of(lab: LineLab, iccid: str) -> Line:
    """Return the state of a profile's line at the platform."""
    found = lab.platform.stock.by_iccid(iccid)
    assert found is not None
    return found.line


@pytest.fixture
def lab(tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch) -> Iterator[LineLab]:
    """Yield a lab with two profiles, and a platform with their lines, which lpad queries only on request."""
    monkeypatch.setattr(line_watch, "SPREAD", 1e6)
    monkeypatch.setattr(line_watch, "FRESH", 1e9)
    with lines(tmp_path, pki) as made:
        made.stop()
        made.start(replace(port(made), device="/dev/ttyUSB2"))
        made.until(lambda: made.engine.snapshots()[0].listed.enabled, bool)
        yield made


@pytest.fixture
def terminal(lab: LineLab) -> Iterator[Terminal]:
    """Yield a terminal that runs lpactl on the lab's gateway."""
    with Gateway(lab) as gateway:
        yield Terminal(lab, gateway.path)


def test_a_line_is_shown(lab: LineLab, terminal: Terminal) -> None:
    """The command prints the platform, the IMEI, and the line's state in lpad's word and the platform's."""
    lab.set_line(SECOND, Line.IDLE, imei="356938035643809")
    done = terminal.lpactl("line", "show", "0025").ok()
    assert "idle ('SUSPENDED')" in done.out
    assert "356938035643809" in done.out
    assert terminal.lpactl("line", "show", "0025", "--json").ok().json["result"]["platform"] == "mine"


def test_a_line_is_suspended_and_activated(lab: LineLab, terminal: Terminal) -> None:
    """Each command ends with the state of the line; a repeated one reports that nothing has changed."""
    assert "is idle ('SUSPENDED') (mine)" in terminal.lpactl("line", "suspend", "Second").ok().out
    assert ", as before" in terminal.lpactl("line", "suspend", "Second").ok().out
    assert "is live ('ACTIVE') (mine)" in terminal.lpactl("line", "activate", "Second").ok().out


def test_retiring_needs_a_word(lab: LineLab, terminal: Terminal) -> None:
    """Without a terminal, `line retire` needs --yes; its output states that this cannot be undone."""
    done = terminal.lpactl("line", "retire", "Second")
    assert done.code == 2
    assert "This cannot be undone. lpactl cannot ask here: add --yes" in done.err
    assert "cannot be undone" in terminal.lpactl("line", "retire", "--help").ok().out
    assert "is ended ('RETIRED')" in terminal.lpactl("line", "retire", "Second", "--yes").ok().out
    assert "cannot be undone" in terminal.lpactl("line", "activate", "Second").err


@pytest.mark.parametrize(
    ("answer", "code"), [("n", exit_codes.NEEDS_PEOPLE), ("", exit_codes.NEEDS_PEOPLE), ("y", 0)]
)
def test_retiring_is_asked_about_at_a_terminal(
    lab: LineLab, terminal: Terminal, answer: str, code: int
) -> None:
    """The question names the profile and states that this cannot be undone; only a yes retires the line."""
    ended, told = at_a_terminal([*terminal.command, "line", "retire", "Second"], answer)
    assert (ended, "This cannot be undone" in told) == (code, True), told
    assert SECOND in told
    assert told.count("[y/N]:") == 1
    assert line_of(lab, SECOND) is (Line.ENDED if answer == "y" else Line.LIVE)


@pytest.mark.parametrize("action", UNSERVED)
@pytest.mark.parametrize("answer", ["n", "y"])
def test_the_enabled_profiles_line_at_a_terminal(
    lab: LineLab, terminal: Terminal, action: str, answer: str
) -> None:
    """If the line is the enabled profile's, the question also states that the device will go offline."""
    before = ["y"] if action == "retire" else []
    code, told = at_a_terminal([*terminal.command, "line", action, "First"], *before, answer)
    assert "goes offline" in told
    yes = answer == "y"
    assert code == (0 if yes else exit_codes.NEEDS_PEOPLE), told
    assert line_of(lab, FIRST) is (UNSERVED[action] if yes else Line.LIVE)


@pytest.mark.parametrize("action", UNSERVED)
def test_a_script_must_accept_that_the_device_goes_offline(
    lab: LineLab, terminal: Terminal, action: str
) -> None:
    """Without a terminal, --yes does not imply --accept-offline."""
    options = ("--yes",) if action == "retire" else ()
    refused = terminal.lpactl("line", action, "First", *options)
    assert refused.code == exit_codes.STATE
    assert "--accept-offline" in refused.err
    assert line_of(lab, FIRST) is Line.LIVE
    terminal.lpactl("line", action, "First", *options, "--accept-offline").ok()
    assert line_of(lab, FIRST) is UNSERVED[action]


def test_profiles_and_status_show_lines(lab: LineLab, terminal: Terminal) -> None:
    """The list of profiles has a column for known lines, and the status names a line without service."""
    terminal.lpactl("line", "suspend", "First", "--accept-offline").ok()
    out = terminal.lpactl("profiles").ok().out
    assert "LINE" in out
    assert "idle (mine)" in out
    told = terminal.lpactl("status").ok().err
    assert "if the enabled profile 'First' is not registered, the likely cause is its line" in told
    shown = {
        each["iccid"]: each["line"] for each in terminal.lpactl("profiles", "--json").ok().json["profiles"]
    }
    assert shown[FIRST]["line"] == "idle"
