"""lpactl changes shows one change, with its request and its progress."""

from __future__ import annotations

import json
import re
import socket
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from engine.lab import FIRST
from lpad.cli.commands.showing_commands import repair_line
from lpad.client.views import JournalRepair

if TYPE_CHECKING:
    from cli.conftest import Terminal


def test_a_change_shows_what_was_asked_for(terminal: Terminal) -> None:
    """A change is shown with parameters and timed steps; its guard is described in words, not as data."""
    terminal.lab.install()
    with socket.create_server(("127.0.0.1", 0)) as server:
        guard = f"tcp:127.0.0.1:{server.getsockname()[1]}"
        done = terminal.lpactl("enable", FIRST, "--guard", guard, "--within", "30", "--json").ok()
    number = json.loads(done.out)["id"]
    shown = terminal.lpactl("changes", str(number), "-v").ok().out
    assert re.search(rf"^iccid +{FIRST}$", shown, re.MULTILINE)
    assert not re.search(r"^guard +\{", shown, re.MULTILINE)
    assert re.search(rf"^ +{guard} +met$", shown, re.MULTILINE)
    assert re.search(r"^ +enable-profile +\d+\.\d{3} s$", shown, re.MULTILINE)
    for absent in ("waits for", "paused", "failed attempts", "error"):
        assert not re.search(rf"^{absent} ", shown, re.MULTILINE)


def test_a_change_that_waits_shows_for_what(terminal: Terminal) -> None:
    """A waiting change shows what it waits for; its unfinished step shows no duration."""
    terminal.lab.install()
    number = json.loads(
        terminal.lpactl("enable", FIRST, "--guard", "confirm", "--no-wait", "--json").ok().out
    )["id"]
    terminal.lab.asked(number)
    shown = terminal.lpactl("changes", str(number), "-v").ok().out
    assert re.search(r"^waits for +confirmation$", shown, re.MULTILINE)
    assert re.search(r"^ +watch +…$", shown, re.MULTILINE)
    terminal.lpactl("confirm", str(number)).ok()


def test_a_change_that_failed_shows_why(terminal: Terminal) -> None:
    """A failed change shows the error's sentence and kind."""
    code = terminal.lab.code(terminal.lab.order())
    terminal.lab.server.stop()
    terminal.lpactl("download", code)
    shown = terminal.lpactl("changes", "1").ok().out
    assert re.search(r"^error +.+ \(server-unreachable\)$", shown, re.MULTILINE)


def test_a_repaired_journal_is_told_in_a_line() -> None:
    """The line about a repair of the journal lists the detected losses, or states that lpad detected none."""
    at = datetime(2026, 11, 29, 12, tzinfo=UTC)
    repair = JournalRepair(at=at, cause="a wrong bit", lost={"changes": 2}, lost_changes=(3, 4))
    assert repair_line(repair).endswith("at 2026-11-29 12:00:00 UTC; lost: 2 changes (changes 3, 4)")
    assert repair_line(JournalRepair(at=at, cause="a wrong bit")).endswith("lost: nothing that lpad detected")
