"""The kernel identifies the caller."""

from __future__ import annotations

import os
import socket

from lpad.api.request.peer import Peer


def test_the_socket_gives_the_peers_process_user_and_groups() -> None:
    """Process, user and all groups of the other end are read from the socket."""
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs:
        peer = Peer.of(ours)
    assert (peer.pid, peer.uid) == (os.getpid(), os.getuid())
    assert peer.groups >= {os.getgid(), *os.getgroups()}
