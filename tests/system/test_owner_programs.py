"""The owner's programs in a booted gateway: the runner's unit runs safe ones as its user."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from lpad.cli.terminal import exit_codes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from system.gateway import Gateway

UNIT = "lpad-hooks.service"
COMMAND = "/etc/lpad/network-command"
HOOK = "/etc/lpad/hooks.d/10-tell"
TELLS = """#!/bin/sh
echo "$(basename "$0") $LPAD_EVENT as $(id -un) for $LPAD_ICCID, APN '$LPAD_APN'"
[ -z "$LPAD_PASSWORD_FILE" ] || sha256sum "$LPAD_PASSWORD_FILE" | cut -c-64
"""
PASSWORD = "pa55-of-the-container"
SETTINGS = {"network": {"applier": "command", "hooks": True}}


@pytest.fixture(scope="module")
def owners(gateway: Gateway) -> Iterator[Gateway]:
    """A gateway whose owner has a network command and a hook."""
    for path in (COMMAND, HOOK):
        gateway.write(path, TELLS, mode=0o755)
    gateway.write_settings(**SETTINGS)
    gateway.run("systemctl", "reload", "lpad.service")
    gateway.run("systemctl", "enable", "--now", "lpad-hooks.socket")
    yield gateway
    gateway.run("systemctl", "disable", "--now", "lpad-hooks.socket", UNIT)
    gateway.write_settings()
    gateway.run("systemctl", "reload", "lpad.service")


@pytest.fixture(scope="module")
def pair(owners: Gateway) -> tuple[str, str]:
    """Two profiles with network settings; the second one's has a password."""
    first, second = (owners.lpactl("download", owners.order())["result"]["iccid"] for _ in range(2))
    owners.lpactl("network", "set", first, "--apn", "first.example")
    owners.write("/srv/password", PASSWORD)
    secret = ("--username", "user", "--authentication", "chap", "--password-file", "/srv/password")
    owners.lpactl("network", "set", second, "--apn", "second.example", *secret)
    return first, second


def now(gateway: Gateway) -> int:
    """Return the number of lines that the programs have printed."""
    return len(told(gateway, 0))


def told(gateway: Gateway, since: int) -> list[str]:
    """Return the output of the programs, without the first lines."""
    gateway.run("journalctl", "--sync")
    lines = gateway.journal(f"--unit={UNIT}", "--output=cat").splitlines()
    return [line for line in lines if line.startswith(("network-command: ", "10-tell: "))][since:]


def test_the_programs_follow_a_switch(owners: Gateway, pair: tuple[str, str]) -> None:
    """Command and hook run as the runner's user, in the order of the steps; only they get the password."""
    first, second = pair
    owners.lpactl("enable", first)
    since = now(owners)
    owners.lpactl("enable", second)
    rest = f"as lpad-hooks for {second}, APN 'second.example'"
    assert told(owners, since) == [
        line
        for event, name in (
            ("pre-switch", "10-tell"),
            ("prepare", "network-command"),
            ("apply", "network-command"),
            ("connect", "network-command"),
            ("post-switch", "10-tell"),
            ("confirmed", "10-tell"),
        )
        for line in (f"{name}: {name} {event} {rest}", f"{name}: {sha256(PASSWORD.encode()).hexdigest()}")
    ]
    assert PASSWORD not in owners.journal()


def test_downloads_and_deletions_are_reported(owners: Gateway, pair: tuple[str, str]) -> None:
    """The hook is notified of downloads and deletions, and the command forgets a deleted profile."""
    assert pair
    since = now(owners)
    third = owners.lpactl("download", owners.order(), "--apn", "third.example")["result"]["iccid"]
    owners.lpactl("delete", third, "--yes")
    assert [line.split(" as ")[0] for line in told(owners, since)] == [
        "10-tell: 10-tell downloaded",
        "network-command: network-command forget",
        "10-tell: 10-tell deleted",
    ]


def test_the_owner_names_another_user(owners: Gateway, pair: tuple[str, str]) -> None:
    """With a drop-in, as in the documentation, the programs run as root."""
    owners.drop_in("[Service]\nUser=root\n", unit=UNIT)
    owners.run("systemctl", "stop", UNIT)
    since = now(owners)
    owners.lpactl("enable", pair[0])
    assert all(" as root for " in line for line in told(owners, since))
    assert told(owners, since)
    owners.drop_in("", unit=UNIT)
    owners.run("systemctl", "stop", UNIT)


def test_programs_of_others_are_refused(owners: Gateway, pair: tuple[str, str]) -> None:
    """A hook that others can write, or that another user owns, stops an enable and is not run."""
    owners.lpactl("enable", pair[0])
    for wrong, right in (("chmod 757", "chmod 755"), ("chown mallory", "chown root")):
        owners.run(*wrong.split(), HOOK)
        since = now(owners)
        said = owners.lpactl("enable", pair[1], code=exit_codes.CARD)
        assert "10-tell" in said
        assert [line for line in told(owners, since) if line.startswith("10-tell")] == []
        owners.run(*right.split(), HOOK)
    assert owners.profiles()[pair[0]] == "enabled"


@pytest.mark.parametrize("user", ["ada", "mallory"])
def test_only_lpad_can_use_the_runner(owners: Gateway, user: str) -> None:
    """Only lpad can use the runner's socket; a card administrator has no rights on the gateway itself."""
    asks = "import socket; socket.socket(socket.AF_UNIX).connect('/run/lpad-hooks/runner.sock')"
    said = owners.run("python3", "-c", asks, user=user, code=1)
    assert "PermissionError" in said
