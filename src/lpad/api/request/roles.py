"""The roles of callers, their holders, and the role that each kind of change requires."""

from __future__ import annotations

import enum
import os
from typing import TYPE_CHECKING

from msgspec import field

from lpad.base.errors import NotPermitted
from lpad.base.frozen import Frozen
from lpad.engine.change.change import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lpad.api.request.peer import Peer


class Role(enum.StrEnum):
    """The roles; each role includes reading."""

    READ = "read"
    SWITCH = "switch"
    INSTALL = "install"
    ADMIN = "admin"


ROLE_FOR: Mapping[Kind, Role] = {
    Kind.ENABLE: Role.SWITCH,
    Kind.DISABLE: Role.SWITCH,
    Kind.REFRESH: Role.SWITCH,
    Kind.PROBE: Role.SWITCH,
    Kind.RESTART_MODEM: Role.SWITCH,
    Kind.DELIVER_NOTIFICATIONS: Role.SWITCH,
    Kind.DROP_NOTIFICATION: Role.ADMIN,
    Kind.DOWNLOAD: Role.INSTALL,
    Kind.PROVISION: Role.INSTALL,
    Kind.DISCOVER: Role.INSTALL,
    Kind.CHECK_TRUST: Role.INSTALL,
    Kind.RENAME: Role.INSTALL,
    Kind.LINE: Role.ADMIN,
    Kind.DELETE: Role.ADMIN,
    Kind.RESET: Role.ADMIN,
    Kind.SET_DEFAULT_SMDP: Role.ADMIN,
}
"""The role for requesting, cancelling and answering a change."""


class Holders(Frozen, kw_only=True):
    """Users and groups by number."""

    users: frozenset[int] = frozenset()
    groups: frozenset[int] = frozenset()

    def include(self, peer: Peer) -> bool:
        """Return whether the peer is one of the users or belongs to one of the groups."""
        return peer.uid in self.users or not peer.groups.isdisjoint(self.groups)


class AccessRules(Frozen):
    """The holders of each role; root and the daemon's own user always have all roles."""

    holders: Mapping[Role, Holders] = field(default_factory=dict)

    def roles(self, peer: Peer) -> frozenset[Role]:
        """Return the peer's roles."""
        if peer.uid in (0, os.geteuid()):
            return frozenset(Role)
        given = frozenset(role for role, holders in self.holders.items() if holders.include(peer))
        return given | {Role.READ} if given else given

    def check(self, peer: Peer, role: Role) -> None:
        """Check that the peer has a role.

        Raises:
            NotPermitted: the caller lacks the role; the details contain `role`.
        """
        held = self.roles(peer)
        if role in held:
            return
        has = f"has {', '.join(each for each in Role if each in held)}" if held else "has none"
        raise NotPermitted(
            f"this request needs the role '{role}', but user {peer.uid} {has}; the setting 'access.{role}'"
            " grants the role to users and groups",
            role=role.value,
        )
