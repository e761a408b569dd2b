"""Obstacles between lpad's service and a card, each with its remedy."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from lpad.card.port.holders import modem_manager_runs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lpad.cli.setup.port_or_reader_trial import Place

USER = "lpad"
PRIVATE = ("/tmp", "/var/tmp")  # noqa: S108 - folders that the service does not share
HOMES = ("/home", "/root", "/run/user")


def hidden_from_service(path: str) -> str | None:
    """Return why the service cannot access a port that this program can access; None if both can."""
    private = next((folder for folder in PRIVATE if path.startswith(f"{folder}/")), None)
    if private is not None:
        return (
            f"the service has its own {private} (PrivateTmp) and cannot access {path}: use another folder,"
            " such as /run"
        )
    if path.startswith(tuple(f"{folder}/" for folder in HOMES)):
        return f"the service cannot access {path} in a home folder (ProtectHome): use a path in /run"
    return None


def without_permission(path: str, *, user: str = USER) -> str | None:
    """Return why a user cannot open a port, with the remedy; None if the user can, or does not exist yet."""
    try:
        account = pwd.getpwnam(user)
        found = Path(path).stat()
    except (KeyError, OSError):
        return None
    groups = os.getgrouplist(user, account.pw_gid)
    for mine, bits in (
        (found.st_uid == account.pw_uid, stat.S_IRUSR | stat.S_IWUSR),
        (found.st_gid in groups, stat.S_IRGRP | stat.S_IWGRP),
        (True, stat.S_IROTH | stat.S_IWOTH),
    ):
        if mine:
            if found.st_mode & bits == bits:
                return None
            break
    group = _group(found.st_gid)
    if found.st_mode & (stat.S_IRGRP | stat.S_IWGRP) == stat.S_IRGRP | stat.S_IWGRP and group != "root":
        return f"the service's user '{user}' may not open {path}: adduser {user} {group}"
    return (
        f"the service's user '{user}' may not open {path}, which belongs to the group '{group}': have a udev"
        " rule give it to the group 'dialout'"
    )


def modem_manager_note() -> str | None:
    """Return a note about ModemManager; None if it does not run."""
    if not modem_manager_runs():
        return None
    return (
        "ModemManager runs: lpad borrows the modem from it while lpad uses the card. If the modem has"
        " several AT ports, one can be reserved for lpad instead: docs/install.md, 'The modem'"
    )


def nothing_found(places: Sequence[Place]) -> str:
    """Return advice for the case that no card was found."""
    if not places:
        return (
            "no modem port and no card reader was found. Is the modem plugged in and switched on? 'dmesg'"
            " shows what the kernel has found. A UART is not searched: name it with 'lpad setup --port"
            " /dev/ttyS0'. A reader needs pcscd: apt install pcscd"
        )
    return (
        "no port leads to a card that lpad can use; the reasons are above. 'lpad probe --port PATH' or"
        " 'lpad probe --reader NAME' shows more about one port"
    )


def group_to_join(groups: Sequence[str | int], *, user: str | None) -> str | None:
    """Return a sentence about the group to join for lpactl; None if the user needs no group or is in one.

    Args:
        groups: the groups that have every role, as named in the settings.
        user: the user that runs the setup; None or root: any user.
    """
    names = [_group(each) if isinstance(each, int) else each for each in groups]
    if not names:
        return None
    whom = user if user not in (None, "root") else "USER"
    if user not in (None, "root"):
        assert user is not None
        try:
            mine = {_group(each) for each in os.getgrouplist(user, pwd.getpwnam(user).pw_gid)}
        except KeyError:
            mine = set()
        if mine & set(names):
            return None
    return (
        f"to use lpactl without root, join the group '{names[0]}': adduser {whom} {names[0]}, then log in"
        " again"
    )


def _group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
