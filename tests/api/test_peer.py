"""Who may do what: the kernel says who calls."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from api.gateway import Gateway
from lpad.api.peer import Access, AccessRules, Peer
from lpad.errors import NotPermitted

if TYPE_CHECKING:
    from engine.lab import Lab

OTHER = 65534
GROUP = 4242

RULES = AccessRules(
    full_users=frozenset({1001}),
    full_groups=frozenset({2001}),
    read_users=frozenset({1002}),
    read_groups=frozenset({2002}),
)

CALLER = """
import os, socket, sys
path, uid, groups, request = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
os.setgroups([int(group) for group in groups.split(",") if group])
os.setgid(uid)
os.setuid(uid)
with socket.socket(socket.AF_UNIX) as connection:
    connection.connect(path)
    connection.sendall(request.encode() + b" HTTP/1.1\\r\\nHost: lpad\\r\\nConnection: close\\r\\n\\r\\n")
    answer = b""
    while chunk := connection.recv(65536):
        answer += chunk
sys.stdout.buffer.write(answer)
"""


@pytest.mark.parametrize(
    ("uid", "groups", "read", "full"),
    [
        (0, (), True, True),
        (os.geteuid(), (), True, True),
        (1001, (), True, True),
        (5000, (2001,), True, True),
        (1002, (), True, False),
        (5000, (5000, 2002), True, False),
        (5000, (5000,), False, False),
    ],
)
def test_rules(uid: int, groups: tuple[int, ...], *, read: bool, full: bool) -> None:
    """Root, the daemon's user and those in the rules pass; reading is less than all."""
    peer = Peer(1, uid, frozenset(groups))
    for access, allowed in ((Access.READ, read), (Access.FULL, full)):
        if allowed:
            RULES.check(peer, access)
        else:
            with pytest.raises(NotPermitted):
                RULES.check(peer, access)


def test_the_kernel_tells_who_is_at_the_other_end() -> None:
    """Process, user and all groups of the other end are read from the socket."""
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs:
        peer = Peer.of(ours)
    assert (peer.pid, peer.uid) == (os.getpid(), os.getuid())
    assert peer.groups >= {os.getgid(), *os.getgroups()}


def call(gateway: Gateway, uid: int, groups: str, request: str) -> tuple[int, str]:
    """Call as another user, as only root can."""
    gateway.lab.folder.chmod(0o755)
    for parent in gateway.lab.folder.parents:
        if parent.stat().st_uid == os.getuid() and len(parent.parts) > 2:
            parent.chmod(parent.stat().st_mode | 0o011)
    found = subprocess.run(
        [sys.executable, "-c", CALLER, str(gateway.path), str(uid), groups, request],
        check=True,
        capture_output=True,
    )
    head, _, body = found.stdout.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body or b"{}").get("kind", "")


def test_callers_of_other_users(lab: Lab) -> None:
    """A stranger may nothing, a reader may read, and a member of the group may all.

    Only root can become another user: anybody else checks that they may do all with their own daemon.
    """
    rules = AccessRules(full_groups=frozenset({GROUP}), read_users=frozenset({OTHER}))
    with Gateway(lab, rules=rules) as gateway:
        if os.geteuid() != 0:
            assert gateway.get("/v1/system")["health"]["ok"]
            return
        assert call(gateway, OTHER - 1, "", "GET /v1/system") == (403, "not-permitted")
        assert call(gateway, OTHER, "", "GET /v1/system")[0] == 200
        assert call(gateway, OTHER, "", "GET /v1/openapi.json")[0] == 200
        assert call(gateway, OTHER, "", "POST /v1/euiccs/modem/refresh") == (403, "not-permitted")
        assert call(gateway, OTHER - 1, str(GROUP), "POST /v1/euiccs/modem/refresh")[0] == 202
        assert call(gateway, OTHER - 1, "", "GET /v1/openapi.json") == (403, "not-permitted")
