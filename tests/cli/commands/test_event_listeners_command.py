"""`lpactl listeners`: programs that listen under a name, at the terminal and in the status."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from engine.lab import CARD
from lpad.cli.terminal import exit_codes
from lpad.engine.listeners.listeners import Asker

if TYPE_CHECKING:
    from cli.conftest import Terminal


def test_listeners_are_shown_and_forgotten(terminal: Terminal) -> None:
    """The status names a listener that is away while events wait for it."""
    lab = terminal.lab
    lab.until_true(lambda: lab.engine.snapshot(CARD).eid is not None)
    lab.until_true(lambda: lab.engine.events.last() >= 1)
    assert terminal.lpactl("listeners").ok().err == "no program listens to events under a name\n"
    lab.engine.listeners.connect("lpad-mqtt", Asker(user=os.geteuid(), admin=False), after=0)
    header, line = terminal.lpactl("listeners", "list").ok().out.splitlines()
    assert header.split() == ["NAME", "USER", "CONNECTED", "ACKNOWLEDGED", "WAITING", "ABSENT", "FOR"]
    assert line.split()[:4] == ["lpad-mqtt", str(os.geteuid()), "no", "0"]
    told = "listener lpad-mqtt: absent for"
    assert told in terminal.lpactl("status").ok().err
    with lab.engine.listeners.listening("lpad-mqtt"):
        assert told not in terminal.lpactl("status").ok().err
        refused = terminal.lpactl("listeners", "forget", "lpad-mqtt")
        assert (refused.code, "stop its program first" in refused.err) == (exit_codes.STATE, True)
        (shown,) = terminal.lpactl("--json", "listeners").ok().json["listeners"]
        assert (shown["name"], shown["connected"]) == ("lpad-mqtt", True)
    assert terminal.lpactl("listeners", "forget", "lpad-mqtt").ok().out == "listener lpad-mqtt is forgotten\n"
    assert told not in terminal.lpactl("status").ok().err
    assert terminal.lpactl("listeners", "forget", "lpad-mqtt").code == exit_codes.STATE


def test_a_missing_or_superfluous_name_is_reported(terminal: Terminal) -> None:
    """A missing or superfluous name is reported immediately."""
    for arguments in (("forget",), ("list", "lpad-mqtt")):
        assert terminal.lpactl("listeners", *arguments).code == exit_codes.USAGE
