"""Who calls, as the kernel says (SO_PEERCRED), and what that user may do."""

from __future__ import annotations

import enum
import os
import pwd
import socket
import struct
from dataclasses import dataclass

from lpad.errors import NotPermitted

_CREDENTIALS = struct.Struct("iII")
# Linux 4.13; the groups that the peer had when it connected. Not in Python's socket module.
_SO_PEERGROUPS = 59
_MANY_GROUPS = 256  # as far as Python reads; a peer with more is looked up like on an older kernel


class Access(enum.Enum):
    """What a route asks of its caller."""

    READ = "read"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class Peer:
    """The process at the other end of a connection, with all its groups."""

    pid: int
    uid: int
    groups: frozenset[int]

    @classmethod
    def of(cls, connection: socket.socket) -> Peer:
        """Ask the kernel about a connected Unix socket."""
        raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        pid, uid, gid = _CREDENTIALS.unpack(raw)
        return cls(pid, uid, frozenset({gid, *_supplementary(connection, uid, gid)}))


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRules:
    """Users and groups by number; root and the daemon's own user may do all in any case."""

    full_users: frozenset[int] = frozenset()
    full_groups: frozenset[int] = frozenset()
    read_users: frozenset[int] = frozenset()
    read_groups: frozenset[int] = frozenset()

    def check(self, peer: Peer, access: Access) -> None:
        """Let the peer pass.

        Raises:
            NotPermitted: it may not do that.
        """
        full = peer.uid in (0, os.geteuid(), *self.full_users) or not peer.groups.isdisjoint(self.full_groups)
        read = full or peer.uid in self.read_users or not peer.groups.isdisjoint(self.read_groups)
        if access is Access.FULL and not full:
            more = "; this user may only read" if read else ""
            raise NotPermitted(
                f"user {peer.uid} may not do this{more}; root and the group 'lpad' may, unless the settings"
                " say otherwise"
            )
        if not read:
            raise NotPermitted(
                f"user {peer.uid} may not read this; root and the groups 'lpad' and 'lpad-read' may, unless"
                " the settings say otherwise"
            )


def _supplementary(connection: socket.socket, uid: int, gid: int) -> list[int]:
    try:
        raw = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, _MANY_GROUPS * 4)
    except OSError:
        # An older kernel, or very many groups: what the user database says now.
        try:
            return os.getgrouplist(pwd.getpwuid(uid).pw_name, gid)
        except KeyError:
            return []
    return [number for (number,) in struct.iter_unpack("I", raw)]
