"""The access rules: the users and groups in the settings, as IDs on this system."""

from __future__ import annotations

import grp
import logging
import pwd
from pathlib import Path
from typing import TYPE_CHECKING

from lpad.api.request.roles import AccessRules, Holders, Role
from lpad.api.server.server import listen
from lpad.api.server.socket_acl import admit
from lpad.daemon import systemd

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable

    from lpad.settings import Settings, SettingsFile, WhoSection

log = logging.getLogger(__name__)


def access_rules(settings: Settings) -> AccessRules:
    """Return the holders of each role; users and groups that do not exist on this system are omitted."""
    access = settings.access
    sections = {
        Role.READ: access.read,
        Role.SWITCH: access.switch,
        Role.INSTALL: access.install,
        Role.ADMIN: access.admin,
    }
    return AccessRules(
        {role: Holders(users=_users(who), groups=_groups(who)) for role, who in sections.items()}
    )


def open_sockets(file: SettingsFile, rules: AccessRules) -> list[socket.socket]:
    """Return the sockets that systemd passes, or otherwise the one in the settings.

    Raises:
        InvalidSettings: the socket cannot be used.
        Conflict: another lpad process uses the same socket.
    """
    sockets = systemd.inherited_sockets()
    if not sockets:
        group = min(rules.holders[Role.ADMIN].groups, default=None)
        sockets = [listen(file.resolve(file.settings.socket), group=group)]
    admit_holders(sockets, rules)
    return sockets


def admit_holders(sockets: Iterable[socket.socket], rules: AccessRules) -> None:
    """Allow only the holders of roles to connect to the sockets."""
    holders = rules.holders.values()
    users = frozenset[int]().union(*(each.users for each in holders))
    groups = frozenset[int]().union(*(each.groups for each in holders))
    for each in sockets:
        admit(Path(each.getsockname()), users=users, groups=groups)


def _users(who: WhoSection) -> frozenset[int]:
    return frozenset(number for each in who.users if (number := _user(each)) is not None)


def _groups(who: WhoSection) -> frozenset[int]:
    return frozenset(number for each in who.groups if (number := _group(each)) is not None)


def _user(name: str | int) -> int | None:
    try:
        return name if isinstance(name, int) else pwd.getpwnam(name).pw_uid
    except KeyError:
        log.warning(
            "the user '%s', listed under 'access' in the settings, does not exist on this system", name
        )
        return None


def _group(name: str | int) -> int | None:
    try:
        return name if isinstance(name, int) else grp.getgrnam(name).gr_gid
    except KeyError:
        log.debug("this system has no group '%s'", name)
        return None
