"""The access control list of the socket.

A file has one group, but the settings may list any number of users and groups. The kernel identifies the
caller of each connection, and lpad determines the caller's roles; the list prevents all other users from
connecting.
"""

from __future__ import annotations

import logging
import os
import stat
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

log = logging.getLogger(__name__)

_LIST = "system.posix_acl_access"
# Linux, include/uapi/linux/posix_acl_xattr.h: version 2, then entries of tag, permissions and user or group.
_HEADER = struct.Struct("<I")
_ENTRY = struct.Struct("<HHI")
_VERSION = 2
_OWNER, _USER, _OWN_GROUP, _GROUP, _MOST, _OTHERS = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
_NOBODY = 0xFFFFFFFF
_CONNECT = stat.S_IROTH | stat.S_IWOTH


def admit(path: Path, *, users: Iterable[int], groups: Iterable[int]) -> None:
    """Allow only these users and groups, given by number, and the socket's owner and group to connect.

    If that is impossible (a file system without access control lists, or another user's socket), lpad logs
    this, and only the socket's mode counts.
    """
    entries = [
        (_OWNER, _CONNECT, _NOBODY),
        *((_USER, _CONNECT, number) for number in sorted(set(users))),
        (_OWN_GROUP, _CONNECT, _NOBODY),
        *((_GROUP, _CONNECT, number) for number in sorted(set(groups))),
        (_MOST, _CONNECT, _NOBODY),
        (_OTHERS, 0, _NOBODY),
    ]
    packed = _HEADER.pack(_VERSION) + b"".join(_ENTRY.pack(*entry) for entry in entries)
    try:
        os.setxattr(path, _LIST, packed)
    except OSError as error:
        log.warning(
            "cannot give the users and groups listed under 'access' in the settings access to %s: %s; only"
            " the socket's owner and group can connect",
            path,
            error.strerror,
        )
