"""MBIM control messages as frozen types (USB-IF MBIM 1.0, 9).

Every number in MBIM is little-endian, except UUIDs, whose bytes are in the order in which they are printed.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, ClassVar

from lpad.base.frozen import Frozen

if TYPE_CHECKING:
    from uuid import UUID


class Action(IntEnum):
    """The two kinds of command: query and set (MBIM 1.0, 9.3.3)."""

    QUERY = 0
    SET = 1


class Open(Frozen):
    """MBIM_OPEN_MSG: the host opens the connection, and accepts fragments of up to `max_transfer` bytes."""

    transaction: int
    max_transfer: int


class OpenDone(Frozen):
    """MBIM_OPEN_DONE: the answer to Open; `status` is 0 or one of `Status`."""

    transaction: int
    status: int


class Close(Frozen):
    """MBIM_CLOSE_MSG: the host ends the connection, and the MBIM function forgets the host's state."""

    transaction: int


class CloseDone(Frozen):
    """MBIM_CLOSE_DONE: the answer to Close."""

    transaction: int
    status: int


class HostError(Frozen):
    """MBIM_HOST_ERROR_MSG: the host could not understand a message; `error` is one of `ProtocolError`."""

    transaction: int
    error: int


class FunctionError(Frozen):
    """MBIM_FUNCTION_ERROR_MSG: the modem could not handle a message; `error` is one of `ProtocolError`."""

    transaction: int
    error: int


class Command(Frozen):
    """MBIM_COMMAND_MSG: a command of a service, as one message even if it is sent in fragments.

    `action` is 0 to query and 1 to set; `info` is the information buffer. The buffer may contain a PIN or an
    APDU, so `repr` omits it.
    """

    HIDDEN: ClassVar[frozenset[str]] = frozenset({"info"})
    transaction: int
    service: UUID
    cid: int
    action: int = Action.QUERY
    info: bytes = b""


class CommandDone(Frozen):
    """MBIM_COMMAND_DONE: the answer to a Command; `status` is 0 or one of `Status`."""

    HIDDEN: ClassVar[frozenset[str]] = frozenset({"info"})
    transaction: int
    service: UUID
    cid: int
    status: int = 0
    info: bytes = b""


class Indication(Frozen):
    """MBIM_INDICATE_STATUS_MSG: a change that the modem reports without a request; transaction 0."""

    HIDDEN: ClassVar[frozenset[str]] = frozenset({"info"})
    service: UUID
    cid: int
    info: bytes = b""
    transaction: int = 0


Message = Open | OpenDone | Close | CloseDone | HostError | FunctionError | Command | CommandDone | Indication
