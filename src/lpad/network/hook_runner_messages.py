"""The messages between the daemon and the runner of the owner's programs: one request, one answer.

A frame consists of a length, four bytes in network order, and a JSON object of at most 65,536 bytes.
The runner is another user's process, so the daemon and the runner check the length of each frame.
"""

from __future__ import annotations

import enum
import struct
from typing import Annotated

import msgspec

from lpad.base.errors import MalformedError

LONGEST_FRAME = 65_536
HEADER = struct.Struct("!I")
_NAME = "LPAD_[A-Z_]{1,40}"
"""Pattern of the permitted variables' names; with PATH or LD_PRELOAD, the sender could run its own code."""


class Task(enum.StrEnum):
    """The programs to run: the command of the applier, or the hooks in the folder."""

    COMMAND = "command"
    HOOKS = "hooks"


class Ended(enum.StrEnum):
    """How a program ended."""

    DONE = "done"
    FAILED = "failed"
    TRY_AGAIN = "try-again"


_Variable = Annotated[str, msgspec.Meta(pattern=rf"^{_NAME}\Z")]


class RunRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request to run a task's programs, with their variables and the time limit of each in seconds."""

    task: Task
    environment: dict[_Variable, str]
    password: str = ""
    """The password, passed in a file that exists only in memory; empty: there is no such file."""
    limit: float

    def __repr__(self) -> str:
        return f"RunRequest(task={self.task})"


class RunAnswer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the task ended, and the result in words, without any output of its programs."""

    ended: Ended
    told: str


def framed(message: msgspec.Struct) -> bytes:
    """Return a message as a frame for the socket.

    Raises:
        MalformedError: the message is too long.
    """
    body = msgspec.json.encode(message)
    if len(body) > LONGEST_FRAME:
        raise MalformedError(f"a message to or from the runner must have at most {LONGEST_FRAME} bytes")
    return HEADER.pack(len(body)) + body


def length_of(header: bytes) -> int:
    """Return the length of the frame that a header announces.

    Raises:
        MalformedError: the header is incomplete, or the length is 0 or too large.
    """
    if len(header) != HEADER.size:
        raise MalformedError("the connection ended within a frame's header")
    length: int = HEADER.unpack(header)[0]
    if not 0 < length <= LONGEST_FRAME:
        raise MalformedError(f"a frame must have 1 to {LONGEST_FRAME} bytes")
    return length
