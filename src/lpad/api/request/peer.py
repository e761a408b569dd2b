"""The caller's identity from the kernel (SO_PEERCRED)."""

from __future__ import annotations

import os
import pwd
import socket
import struct

from lpad.base.frozen import Frozen

_CREDENTIALS = struct.Struct("iII")
# The groups that the peer had when it connected (since Linux 4.13); Python's socket module lacks the
# constant.
_SO_PEERGROUPS = 59
_MANY_GROUPS = 256  # a peer with more groups is treated as on an older kernel


class Peer(Frozen):
    """The process at the other end of a connection, with all its groups."""

    pid: int
    uid: int
    groups: frozenset[int]

    @classmethod
    def of(cls, connection: socket.socket) -> Peer:
        """Return the peer of a connected Unix socket, as the kernel reports it."""
        raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        pid, uid, gid = _CREDENTIALS.unpack(raw)
        return cls(pid, uid, frozenset({gid, *_supplementary(connection, uid, gid)}))


def _supplementary(connection: socket.socket, uid: int, gid: int) -> list[int]:
    try:
        raw = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, _MANY_GROUPS * 4)
    except OSError:
        # On an older kernel, or for very many groups, lpad uses the present content of the user database.
        try:
            return os.getgrouplist(pwd.getpwuid(uid).pw_name, gid)
        except KeyError:
            return []
    return [number for (number,) in struct.iter_unpack("I", raw)]
