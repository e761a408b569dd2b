"""The process of the hook runner: its socket, from systemd or a path, and its log."""

from __future__ import annotations

import logging
import os
import socket
import sys
from typing import TYPE_CHECKING

from lpad.base.errors import InvalidSettings
from lpad.daemon.systemd import inherited_sockets
from lpad.network.hook_runner_server import HookRunner

if TYPE_CHECKING:
    from pathlib import Path

_BACKLOG = 8


def run(path: Path | None, *, command: Path, hooks: Path) -> None:
    """Serve until the process is ended.

    Args:
        path: the socket to create; None: systemd passes the socket.
        command: the program of the applier `command`.
        hooks: the folder of hooks.

    Raises:
        InvalidSettings: there is no socket, or the socket cannot be created.
    """
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(message)s")
    HookRunner(command=command, hooks=hooks).serve(_listening(path))


def _listening(path: Path | None) -> socket.socket:
    if path is None:
        sockets = inherited_sockets()
        if not sockets:
            raise InvalidSettings(
                "systemd passes no socket: start lpad-hooks.socket, or name a socket with --socket"
            )
        return sockets[0]
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        path.unlink(missing_ok=True)
        before = os.umask(0o117)
        try:
            listening.bind(str(path))
        finally:
            os.umask(before)
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        raise InvalidSettings(f"cannot listen on {path}: {error.strerror}") from error
    return listening
