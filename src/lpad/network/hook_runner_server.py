"""The runner: runs the owner's command and hooks for the daemon, as a user whom the owner names.

The runner is a separate process, so that the daemon's sandbox can remain strict. The runner runs only the
programs in its own arguments; the daemon determines the time and the variables of each run.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import msgspec

from lpad.base.errors import MalformedError
from lpad.base.frozen import Frozen
from lpad.network.hook_runner_messages import HEADER, Ended, RunAnswer, RunRequest, Task, framed, length_of
from lpad.network.owner_program_run import run_program

if TYPE_CHECKING:
    import socket
    from pathlib import Path

log = logging.getLogger(__name__)

_PATIENCE = 10.0
"""Seconds for a request to arrive."""
LONGEST_LIMIT = 600.0


class HookRunner(Frozen, kw_only=True):
    """The runner, with the programs that it may run."""

    command: Path | None
    """The program of the applier `command`; None without this program."""
    hooks: Path | None
    """The folder of hooks; no hooks are run if the folder is None or missing."""

    def serve(self, listening: socket.socket) -> None:
        """Serve one connection after the other, until the process ends."""
        while True:
            connection, _ = listening.accept()
            with connection:
                try:
                    self.serve_one(connection)
                except (OSError, MalformedError, ValueError, RecursionError) as error:
                    log.warning("dropping a request: %s", error)

    def serve_one(self, connection: socket.socket) -> None:
        """Receive a request, run its programs, and answer.

        Raises:
            OSError: the connection ended, or is too slow.
            MalformedError: the data is not a frame.
            ValueError: the data is not a request.
        """
        connection.settimeout(_PATIENCE)
        body = _received(connection, length_of(_received(connection, HEADER.size)))
        request = msgspec.json.decode(body, type=RunRequest)
        answer = self._run(request, connection)
        connection.sendall(framed(answer))

    def _run(self, request: RunRequest, connection: socket.socket) -> RunAnswer:
        programs = self._programs(request.task)
        if programs is None:
            return RunAnswer(
                ended=Ended.FAILED, told="the runner has no command; name one with its option --command"
            )
        event = request.environment.get("LPAD_EVENT", "")
        for each in programs:
            answer = run_program(
                each,
                environment=request.environment,
                password=request.password,
                limit=max(0.0, min(request.limit, LONGEST_LIMIT)),
                client=connection.fileno(),
            )
            log.info("%s: %s", event, answer.told)
            if answer.ended is not Ended.DONE:
                return answer
        return RunAnswer(ended=Ended.DONE, told=f"programs that have succeeded: {len(programs)}")

    def _programs(self, task: Task) -> list[Path] | None:
        if task is Task.COMMAND:
            return None if self.command is None else [self.command]
        if self.hooks is None:
            return []
        try:
            found = [each for each in self.hooks.iterdir() if not each.name.startswith(".")]
        except OSError:
            return []
        return sorted(found, key=lambda each: each.name)


def _received(connection: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        piece = connection.recv(length - len(data))
        if not piece:
            raise MalformedError("the connection ended within a frame")
        data += piece
    return data
