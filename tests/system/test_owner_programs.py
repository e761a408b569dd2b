"""The owner's network command and hook, which the runner's unit runs in a booted gateway."""

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
    """A gateway with a network command and a hook, which print what they are called with."""
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
    """The ICCIDs of two profiles with network settings; those of the second have a password."""
    first, second = (owners.lpactl("download", owners.order())["result"]["iccid"] for _ in range(2))
    owners.lpactl("network", "set", first, "--apn", "first.example")
    owners.write("/srv/password", PASSWORD)
    secret = ("--username", "user", "--authentication", "chap", "--password-file", "/srv/password")
    owners.lpactl("network", "set", second, "--apn", "second.example", *secret)
    return first, second


def now(gateway: Gateway) -> int:
    """Return the number of lines that the programs have printed so far."""
    return len(told(gateway, 0))


def told(gateway: Gateway, since: int) -> list[str]:
    """Return the lines that the programs have printed, without the first `since` ones."""
    gateway.run("journalctl", "--sync")
    lines = gateway.journal(f"--unit={UNIT}", "--output=cat").splitlines()
    return [line for line in lines if line.startswith(("network-command: ", "10-tell: "))][since:]


def test_the_programs_follow_a_switch(owners: Gateway, pair: tuple[str, str]) -> None:
    """In a switch, command and hook run in order as lpad-hooks, and get the password in a file."""
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
    """A download calls the hook; a deletion calls the command with forget, and then the hook."""
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
    """With a drop-in for User=, the programs run as that user."""
    owners.drop_in("[Service]\nUser=root\n", unit=UNIT)
    owners.run("systemctl", "stop", UNIT)
    since = now(owners)
    owners.lpactl("enable", pair[0])
    assert all(" as root for " in line for line in told(owners, since))
    assert told(owners, since)
    owners.drop_in("", unit=UNIT)
    owners.run("systemctl", "stop", UNIT)


def test_programs_of_others_are_refused(owners: Gateway, pair: tuple[str, str]) -> None:
    """If others can write a hook or own it, an enable fails, and the hook is not run."""
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
    """Users other than lpad, even a member of the group lpad, cannot connect to the runner's socket."""
    asks = "import socket; socket.socket(socket.AF_UNIX).connect('/run/lpad-hooks/runner.sock')"
    said = owners.run("python3", "-c", asks, user=user, code=1)
    assert "PermissionError" in said
