"""The process of the port opener: its socket, from systemd, and its log."""

from __future__ import annotations

import logging
import os
import socket
import sys
from pathlib import Path

from lpad.base.errors import InvalidSettings
from lpad.card.port.port_opener import PortOpener
from lpad.daemon.systemd import inherited_sockets


def run() -> None:
    """Serve until no request has come for a minute.

    Raises:
        InvalidSettings: systemd passes no socket.
    """
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(message)s")
    sockets = inherited_sockets()
    if not sockets or sockets[0].type != socket.SOCK_SEQPACKET:
        raise InvalidSettings(
            "the port opener has no socket: start lpad-ports.socket, and systemd starts the opener on demand"
        )
    listening = sockets[0]
    # The socket's owner and mode decide who can connect; the opener itself also drops other users.
    owner = Path(listening.getsockname()).stat().st_uid
    PortOpener(users=frozenset({os.geteuid(), owner})).serve(listening)
