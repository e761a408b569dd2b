"""`lpactl webhooks`: endpoints at the terminal, and in the status."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.lab import CARD
from engine.webhooks.receiver import Answer, Receiver, endpoint
from lpad.cli.terminal import exit_codes

if TYPE_CHECKING:
    from cli.conftest import Terminal


def test_endpoints_are_shown_and_acted_upon(terminal: Terminal) -> None:
    """Each action states its result; the status names a paused endpoint."""
    lab = terminal.lab
    lab.until_true(lambda: lab.engine.snapshot(CARD).eid is not None)
    assert terminal.lpactl("webhooks").ok().err == "the settings name no webhook\n"
    with Receiver() as receiver:
        lab.engine.webhooks.become([endpoint(receiver)])
        assert (
            terminal.lpactl("webhooks", "test", "backend")
            .ok()
            .out.startswith("webhook backend accepts events: HTTP 204")
        )
        receiver.answers.put(Answer(404))
        refused = terminal.lpactl("webhooks", "test", "backend")
        assert (refused.code, "HTTP 404" in refused.out) == (exit_codes.SERVER, True)
        assert terminal.lpactl("webhooks", "pause", "backend").ok().out == "webhook backend is paused\n"
        assert "webhook backend: paused" in terminal.lpactl("status").ok().err
        header, line = terminal.lpactl("webhooks", "list").ok().out.splitlines()
        assert header.split()[:2] == ["NAME", "SERVER"]
        assert line.split()[2] == "paused"
        assert terminal.lpactl("webhooks", "resume", "backend").ok().out == "webhook backend is active\n"
        again = terminal.lpactl("webhooks", "redeliver", "backend").ok()
        assert again.out == "0 events are sent once more\n"
        assert terminal.lpactl("webhooks", "redeliver", "backend", "99").code == exit_codes.STATE
        (shown,) = terminal.lpactl("--json", "webhooks").ok().json["webhooks"]
        assert (shown["name"], shown["state"]) == ("backend", "active")


def test_a_missing_or_superfluous_name_is_reported(terminal: Terminal) -> None:
    """A missing or superfluous name is reported immediately."""
    for arguments in (("test",), ("list", "backend"), ("pause", "backend", "3"), ("redeliver",)):
        assert terminal.lpactl("webhooks", *arguments).code == exit_codes.USAGE
    assert terminal.lpactl("webhooks", "pause", "backend").code == exit_codes.STATE
