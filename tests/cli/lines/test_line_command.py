"""lpactl line, and what other commands show of a profile's line, as processes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from api.gateway import Gateway
from cli.conftest import Terminal
from engine.guarding import port
from engine.lab import FIRST, SECOND
from engine.lines.line_lab import LineLab, lines
from lpad.engine.lines import line_watch
from lpad.simulator.platform.reservations import Line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lpad.simulator.pki.pki import Pki


@pytest.fixture
def lab(tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch) -> Iterator[LineLab]:
    """Two profiles in a modem that lpad knows, with lines that lpad asks for only if requested."""
    monkeypatch.setattr(line_watch, "SPREAD", 1e6)
    monkeypatch.setattr(line_watch, "FRESH", 1e9)
    with lines(tmp_path, pki) as made:
        made.stop()
        made.start(replace(port(made), device="/dev/ttyUSB2"))
        made.until(lambda: made.engine.snapshots()[0].listed.enabled, bool)
        yield made


@pytest.fixture
def terminal(lab: LineLab) -> Iterator[Terminal]:
    """A shell at the device."""
    with Gateway(lab) as gateway:
        yield Terminal(lab, gateway.path)


def test_a_line_is_shown(lab: LineLab, terminal: Terminal) -> None:
    """The platform, the state and the platform's word, and the IMEI are printed."""
    lab.set_line(SECOND, Line.IDLE, imei="356938035643809")
    done = terminal.lpactl("line", "show", "0025").ok()
    assert "idle ('SUSPENDED')" in done.out
    assert "356938035643809" in done.out
    assert terminal.lpactl("line", "show", "0025", "--json").ok().json["result"]["platform"] == "mine"


def test_a_line_is_suspended_and_activated(lab: LineLab, terminal: Terminal) -> None:
    """Each ends with the state of the line; a repetition says that it was so before."""
    assert "is idle ('SUSPENDED') (mine)" in terminal.lpactl("line", "suspend", "Second").ok().out
    assert ", as before" in terminal.lpactl("line", "suspend", "Second").ok().out
    assert "is live ('ACTIVE') (mine)" in terminal.lpactl("line", "activate", "Second").ok().out


def test_the_enabled_profiles_line(lab: LineLab, terminal: Terminal) -> None:
    """Without a terminal to ask at, the option is needed for the line that the modem uses."""
    done = terminal.lpactl("line", "suspend", "First")
    assert done.code == 3
    assert "--accept-offline" in done.err
    assert "is idle" in terminal.lpactl("line", "suspend", "First", "--accept-offline").ok().out


def test_retiring_needs_a_word(lab: LineLab, terminal: Terminal) -> None:
    """Without a terminal to ask at, retiring needs --yes, and says that it cannot be undone."""
    done = terminal.lpactl("line", "retire", "Second")
    assert done.code == 2
    assert "this cannot be undone: add --yes" in done.err
    assert "cannot be undone" in terminal.lpactl("line", "retire", "--help").ok().out
    assert "is ended ('RETIRED')" in terminal.lpactl("line", "retire", "Second", "--yes").ok().out
    assert "cannot be undone" in terminal.lpactl("line", "activate", "Second").err


def test_profiles_and_status_show_lines(lab: LineLab, terminal: Terminal) -> None:
    """The list has a column for lines if one is known, and the status names a line that is not served."""
    terminal.lpactl("line", "suspend", "First", "--accept-offline").ok()
    out = terminal.lpactl("profiles").ok().out
    assert "LINE" in out
    assert "idle (mine)" in out
    told = terminal.lpactl("status").ok().err
    assert "if the enabled profile 'First' is not registered, the likely cause is its line" in told
    shown = {each["iccid"]: each["line"] for each in terminal.lpactl("profiles", "--json").ok().json}
    assert shown[FIRST]["line"] == "idle"
