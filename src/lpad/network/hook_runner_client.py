"""The daemon's side of the runner: sends the data for an applier or a hook over the runner's socket."""

from __future__ import annotations

import select
import socket
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from lpad.base.errors import MalformedError
from lpad.network.applier_interface import Applied, Failed, TryAgain
from lpad.network.connection_layer_names import OwnersProgram
from lpad.network.hook_runner_messages import HEADER, Ended, RunAnswer, RunRequest, Task, framed, length_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lpad.base.cancellation import Cancellation
    from lpad.base.deadline import Deadline
    from lpad.network.applier_interface import Outcome, Wanted

SOCKET = "/run/lpad-hooks/runner.sock"
_STOPPING = 1.0
"""Seconds of a deadline that are reserved for the runner to kill a program and report it."""
_CULPRITS = {Task.HOOKS: OwnersProgram.HOOK, Task.COMMAND: OwnersProgram.COMMAND}
_LONGEST_WORDS = 500
"""The maximum number of characters that are kept of the runner's sentence."""
_UNREACHABLE = (
    "the runner of the owner's programs cannot be reached at {path} ({why}); see 'systemctl status"
    " lpad-hooks.socket'"
)


class RunnerClient(Struct, frozen=True):
    """A client of the runner behind a socket."""

    path: str = SOCKET

    def run(
        self, task: Task, environment: Mapping[str, str], *, password: str = "", deadline: Deadline
    ) -> Outcome:
        """Make the runner run a task, and return the result.

        If the deadline is cancelled, the program is killed.

        Raises:
            Cancelled: see `Deadline`.
        """
        culprit = _CULPRITS[task]
        seconds = deadline.remaining()
        limit = seconds - min(_STOPPING, seconds / 4)
        if limit <= 0:
            return TryAgain(told="no time was left to run the owner's program", layer=culprit)
        request = RunRequest(task=task, environment=dict(environment), password=password, limit=limit)
        try:
            return _outcome(self._asked(request, deadline), culprit)
        except BlockingIOError:  # connect() does not wait if the socket's queue is full
            return TryAgain(
                layer=culprit,
                told="the runner of the owner's programs is busy with other requests",
                after=5.0,
            )
        except TimeoutError:
            return Failed(layer=culprit, told="the runner of the owner's programs did not answer in time")
        except OSError as error:
            told = _UNREACHABLE.format(path=self.path, why=error.strerror or type(error).__name__)
            return Failed(layer=culprit, told=told)
        except (MalformedError, ValueError, RecursionError):
            return Failed(
                layer=culprit,
                told=f"the process that answers at {self.path} is not the runner of the owner's programs",
            )

    def _asked(self, request: RunRequest, deadline: Deadline) -> RunAnswer:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(deadline.remaining() or 0.001)
            connection.connect(self.path)
            connection.sendall(framed(request))
            body = _received(connection, length_of(_received(connection, HEADER.size, deadline)), deadline)
            return msgspec.json.decode(body, type=RunAnswer)


def _received(connection: socket.socket, length: int, deadline: Deadline) -> bytes:
    data = b""
    while len(data) < length:
        _await_data(connection, deadline)
        piece = connection.recv(length - len(data))
        if not piece:
            raise MalformedError("the runner ended the connection")
        data += piece
    return data


def _await_data(connection: socket.socket, deadline: Deadline) -> None:
    watched: list[socket.socket | Cancellation] = [connection]
    if deadline.cancellation is not None:
        watched.append(deadline.cancellation)
    ready, _, _ = select.select(watched, [], [], deadline.remaining())
    deadline.check()
    if not ready:
        raise TimeoutError


def _outcome(answer: RunAnswer, culprit: OwnersProgram) -> Outcome:
    # The sentence goes to the journal and to terminals, and the runner is another user's process.
    printable = "".join(each if each.isprintable() else " " for each in answer.told[:_LONGEST_WORDS])
    told = f"{printable}…" if len(answer.told) > _LONGEST_WORDS else printable
    if answer.ended is Ended.DONE:
        return Applied(told=told)
    if answer.ended is Ended.TRY_AGAIN:
        return TryAgain(told=told, layer=culprit, after=5.0)
    return Failed(layer=culprit, told=told)


def environment(event: str, wanted: Wanted) -> dict[str, str]:
    """Return the variables that describe a profile, its settings without the password, and its modem."""
    settings, modem = wanted.settings, wanted.modem
    attach = settings.attach_apn
    return {
        "LPAD_EVENT": event,
        "LPAD_EID": wanted.eid,
        "LPAD_ICCID": wanted.iccid,
        "LPAD_OLD_ICCID": wanted.previous_iccid or "",
        "LPAD_APN": settings.apn,
        "LPAD_AUTH": settings.authentication.value,
        "LPAD_USERNAME": settings.username,
        "LPAD_IP_TYPE": settings.ip.value,
        "LPAD_ROAMING": "yes" if settings.roaming else "no",
        "LPAD_INITIAL_BEARER": "leave" if attach is None else "set",
        "LPAD_INITIAL_BEARER_APN": attach or "",
        "LPAD_MTU": "" if settings.mtu is None else str(settings.mtu),
        "LPAD_MODEM": (modem.imei or "") if modem is not None else "",
        "LPAD_PORT": (modem.port or "") if modem is not None else "",
    }
