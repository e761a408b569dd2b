"""lpactl network: show, set and clear."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from engine.lab import CARD, FIRST
from lpad.cli.terminal import exit_codes

if TYPE_CHECKING:
    from pathlib import Path

    from cli.conftest import Terminal

PASSWORD = "pa55-of-lpactl"


def test_a_profiles_settings(terminal: Terminal, tmp_path: Path) -> None:
    """Settings can be set before the profile exists, shown with source and reason, and cleared."""
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\n")
    shown = terminal.lpactl(
        "network", "set", FIRST, "--apn", "iot.example", "--username", "user", "--password-file", str(file),
        "--authentication", "pap", "--ip", "ipv4", "--no-roaming", "--mtu", "1400",
    ).ok()  # fmt: skip
    assert PASSWORD not in shown.out + shown.err
    lines = dict(line.split(maxsplit=1) for line in shown.out.splitlines() if len(line.split()) > 1)
    assert lines["APN"] == "iot.example"
    assert lines["given"].startswith("by")
    assert "owner" in lines["given"]
    assert lines["password"] == "set"
    assert lines["roaming"] == "not allowed"
    assert terminal.lab.engine.card(CARD).network(FIRST).settings.password == PASSWORD
    found = json.loads(terminal.lpactl("network", "show", FIRST, "--json").ok().out)
    assert (found["given_by"], found["apn"], found["password_set"]) == ("owner", "iot.example", True)
    assert "nothing" in terminal.lpactl("network", "clear", FIRST).ok().out


def test_a_profile_on_the_card_is_named_as_always(terminal: Terminal) -> None:
    """The last digits, or the name, identify a profile that the card has."""
    terminal.lab.install()
    assert FIRST in terminal.lpactl("network", "set", FIRST[-6:], "--apn", "em").ok().out
    assert "em" in terminal.lpactl("network", "show", "First").ok().out


def test_nothing_to_set_is_a_mistake(terminal: Terminal) -> None:
    """`network set` without an option is refused; an empty APN is a valid setting."""
    assert terminal.lpactl("network", "set", FIRST).code == exit_codes.USAGE
    assert "default" in terminal.lpactl("network", "set", FIRST, "--apn", "").ok().out


def test_a_download_brings_settings(terminal: Terminal) -> None:
    """`download` accepts the options of `network set`, as settings of the new profile."""
    code = terminal.lab.code(terminal.lab.order())
    terminal.lpactl("download", code, "--apn", "order.example").ok()
    shown = terminal.lpactl("network", "show", FIRST).ok().out
    assert "order.example" in shown
    assert "order" in shown
