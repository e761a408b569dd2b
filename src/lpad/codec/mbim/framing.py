"""Messages as bytes, cut into fragments if they are long (MBIM 1.0, 9.1 and 9.2).

A message starts with its type, its length in bytes and its transaction, each of 4 bytes. A message that may
be cut continues with the number of fragments and this fragment's number, from 0. Only the first fragment
contains service and command; further fragments only continue the information buffer.
"""

from __future__ import annotations

import struct
from typing import Any, ClassVar
from uuid import UUID

from lpad.base.errors import InternalError, MalformedError
from lpad.base.frozen import Frozen
from lpad.codec.mbim.messages import (
    Close,
    CloseDone,
    Command,
    CommandDone,
    FunctionError,
    HostError,
    Indication,
    Message,
    Open,
    OpenDone,
)

DEFAULT_TRANSFER = 4096
"""The maximum number of bytes of a message or fragment, if the port states no maximum."""
LEAST_TRANSFER = 64
"""The smallest permitted value of the maximum size (MBIM 1.0, 6.4, wMaxControlMessage)."""
LARGEST_TRANSFER = 0xFFFF
"""The limit of `max_transfer`, which a port states as a number of 2 bytes."""
LARGEST_INFORMATION = 128 * 1024
"""The maximum number of bytes of an information buffer that lpad collects; a UICC's answer has at most 64
KiB."""
HEAD = 12
FRAGMENT_HEAD = HEAD + 8

_HEAD = struct.Struct("<III")
_FRAGMENTS = struct.Struct("<II")
_U32 = struct.Struct("<I")
_COMMAND = struct.Struct("<16sIII")
"""A command's fields: service, command, action or status, and size of the information buffer."""
_INDICATION = struct.Struct("<16sII")
"""An indication's fields: service, command, and size of the information buffer."""

_WHOLE: dict[int, tuple[type[Any], str | None]] = {
    0x00000001: (Open, "max_transfer"),
    0x00000002: (Close, None),
    0x00000004: (HostError, "error"),
    0x80000001: (OpenDone, "status"),
    0x80000002: (CloseDone, "status"),
    0x80000004: (FunctionError, "error"),
}
"""Messages that are never cut, each with the name of the only field after the head; None: no field."""
_IN_FRAGMENTS: dict[int, tuple[type[Any], str | None]] = {
    0x00000003: (Command, "action"),
    0x80000003: (CommandDone, "status"),
    0x80000007: (Indication, None),
}
"""Messages that may be cut, each with the name of the field between command and size; None: no field."""
_TYPES = {kind: number for number, (kind, _) in (_WHOLE | _IN_FRAGMENTS).items()}
TO_HOST = frozenset(number for number in _TYPES.values() if number & 0x80000000)
"""The types of the messages that an MBIM function sends."""
TO_FUNCTION = frozenset(_TYPES.values()) - TO_HOST


class Fragment(Frozen):
    """A part of a message; `payload` is the part of its body after the fragment's head."""

    HIDDEN: ClassVar[frozenset[str]] = frozenset({"payload"})
    type: int
    transaction: int
    total: int
    current: int
    payload: bytes


def encode(message: Message, *, max_transfer: int = DEFAULT_TRANSFER) -> tuple[bytes, ...]:
    """Return a message as one or more fragments, each to be sent with one write.

    Args:
        max_transfer: bytes of the largest fragment, at least 64.

    Raises:
        InternalError: `max_transfer` is too small.
    """
    if max_transfer < LEAST_TRANSFER:
        raise InternalError(f"an MBIM fragment needs at least {LEAST_TRANSFER} bytes, not {max_transfer}")
    number = _TYPES[type(message)]
    if number in _WHOLE:
        field = _WHOLE[number][1]
        body = b"" if field is None else _U32.pack(getattr(message, field))
        return (_HEAD.pack(number, HEAD + len(body), message.transaction) + body,)
    assert isinstance(message, Command | CommandDone | Indication)
    field = _IN_FRAGMENTS[number][1]
    service, size = message.service.bytes, len(message.info)
    if field is None:
        body = _INDICATION.pack(service, message.cid, size)
    else:
        body = _COMMAND.pack(service, message.cid, getattr(message, field), size)
    body += message.info
    room = max_transfer - FRAGMENT_HEAD
    parts = [body[at : at + room] for at in range(0, len(body), room)]
    return tuple(
        _HEAD.pack(number, FRAGMENT_HEAD + len(part), message.transaction)
        + _FRAGMENTS.pack(len(parts), index)
        + part
        for index, part in enumerate(parts)
    )


def decode(raw: bytes) -> Message | Fragment:
    """Read one whole message, or one fragment of a longer one.

    Args:
        raw: exactly the bytes that the length in the head announces.

    Raises:
        MalformedError: an unknown type, a wrong length, or a body that does not fit its type.
    """
    if len(raw) < HEAD:
        raise MalformedError(f"an MBIM message must have at least {HEAD} bytes; got {len(raw)}")
    number, length, transaction = _HEAD.unpack_from(raw)
    if length != len(raw):
        raise MalformedError(f"an MBIM message announces {length} bytes, but has {len(raw)}")
    if number in _WHOLE:
        kind, field = _WHOLE[number]
        values = {} if field is None else {field: _u32(raw)}
        message: Message = kind(transaction=transaction, **values)
        return message
    if number not in _IN_FRAGMENTS:
        raise MalformedError(f"there is no MBIM message of type {number:#010x}")
    if length < FRAGMENT_HEAD:
        raise MalformedError(f"an MBIM fragment must have at least {FRAGMENT_HEAD} bytes; got {length}")
    total, current = _FRAGMENTS.unpack_from(raw, HEAD)
    if current >= max(total, 1):
        raise MalformedError(f"an MBIM message has fragment {current} of {total}")
    fragment = Fragment(
        type=number, transaction=transaction, total=total, current=current, payload=raw[FRAGMENT_HEAD:]
    )
    # Some MBIM functions report 0 fragments if there is only one.
    return joined(fragment) if total <= 1 else fragment


def joined(fragment: Fragment) -> Message:
    """Return the message whose whole body is in `fragment`.

    Raises:
        MalformedError: the body is shorter than its head, or than its size field announces.
    """
    kind, field = _IN_FRAGMENTS[fragment.type]
    form = _INDICATION if field is None else _COMMAND
    if len(fragment.payload) < form.size:
        raise MalformedError(f"an MBIM message's body has {len(fragment.payload)} bytes, fewer than its head")
    service, cid, *number, size = form.unpack_from(fragment.payload)
    info = fragment.payload[form.size : form.size + size]
    if len(info) < size:
        raise MalformedError(f"an MBIM information buffer announces {size} bytes, but {len(info)} follow")
    values = {} if field is None else {field: number[0]}
    message: Message = kind(
        transaction=fragment.transaction, service=UUID(bytes=service), cid=cid, info=info, **values
    )
    return message


def next_length(raw: bytes, types: frozenset[int]) -> int | None:
    """Return the length of the message or fragment at the beginning of `raw`; None if none begins there.

    Args:
        raw: at least 12 bytes.
        types: the types of message that this side can receive.
    """
    number, length, _ = _HEAD.unpack_from(raw)
    least, most = (FRAGMENT_HEAD, LARGEST_TRANSFER) if number in _IN_FRAGMENTS else (HEAD, LEAST_TRANSFER)
    return length if number in types and least <= length <= most else None


def _u32(raw: bytes) -> int:
    if len(raw) < HEAD + 4:
        raise MalformedError(
            f"an MBIM message with a number must have at least {HEAD + 4} bytes; got {len(raw)}"
        )
    number: int = _U32.unpack_from(raw, HEAD)[0]
    return number
