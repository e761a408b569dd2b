"""QMUX frames: one message of one service and client each (libqmi, `qmi-message.c`).

A frame starts with 01, its length in bytes without that byte, a byte for its direction, the service and the
client. The message in it has flags, a transaction, a number, and parameters as type, length and value. Every
number is little-endian. The transaction has one byte in the control service, and two in all others.
"""

from __future__ import annotations

import struct
from enum import IntEnum

from lpad.base.errors import InternalError, MalformedError
from lpad.base.frozen import Frozen
from lpad.codec.qmi.services import Service

MARKER = 0x01
HEAD = 6
"""The number of bytes of marker, length, direction, service and client."""
LARGEST_FRAME = 0xFFFF
BROADCAST = 0xFF
"""The client number in an indication that is meant for every client of a service."""
MOST_CONTROL_TRANSACTION, MOST_TRANSACTION = 0xFF, 0xFFFF
"""The largest number of a transaction, in the control service and in others; no request has the number 0."""

_HEAD = struct.Struct("<BHBBB")
_CONTROL = struct.Struct("<BBHH")
_SERVICE = struct.Struct("<BHHH")
_PARAMETER = struct.Struct("<BH")


class Direction(IntEnum):
    """The direction of a frame; the value is its byte in the frame."""

    TO_MODEM = 0x00
    TO_HOST = 0x80


class Kind(IntEnum):
    """The kinds of message; the values are the flags in the control service."""

    REQUEST = 0
    RESPONSE = 1
    INDICATION = 2


_FLAGS = {Kind.REQUEST: 0, Kind.RESPONSE: 2, Kind.INDICATION: 4}
"""The flags in all services but the control service."""
_KINDS = {flags: kind for kind, flags in _FLAGS.items()}
_CONTROL_KINDS = {kind.value: kind for kind in Kind}


class Message(Frozen):
    """A message of a service for one client.

    `parameters` contains the undecoded parameters, which may include an APDU or a PIN;
    `message_parameters.py` decodes them.
    """

    kind: Kind
    service: int
    client: int
    """The client's number; 0 in the control service."""
    transaction: int
    """The number of the transaction; an indication has 0, or a separate count."""
    number: int
    """The message's number in its service."""
    parameters: tuple[tuple[int, bytes], ...] = ()
    """Type and value of each parameter."""

    def __repr__(self) -> str:
        """Show everything but the values of the parameters."""
        return (
            f"Message({self.kind.name}, service={self.service:#04x}, client={self.client},"
            f" transaction={self.transaction}, number={self.number:#06x})"
        )


def encode(message: Message) -> bytes:
    """Return a message as one frame, to be sent with one write.

    Raises:
        InternalError: the message is too long for a frame.
    """
    size = HEAD - 1 + sum(_PARAMETER.size + len(value) for _, value in message.parameters)
    if size + _SERVICE.size > LARGEST_FRAME:
        raise InternalError(
            f"a QMI message with {size - HEAD + 1} bytes of parameters is too long for a frame"
        )
    body = b"".join(_PARAMETER.pack(kind, len(value)) + value for kind, value in message.parameters)
    if message.service == Service.CTL:
        flags, form = message.kind.value, _CONTROL
    else:
        flags, form = _FLAGS[message.kind], _SERVICE
    body = form.pack(flags, message.transaction, message.number, len(body)) + body
    direction = Direction.TO_MODEM if message.kind is Kind.REQUEST else Direction.TO_HOST
    return _HEAD.pack(MARKER, HEAD - 1 + len(body), direction, message.service, message.client) + body


def decode(raw: bytes) -> Message:
    """Read one whole frame.

    Args:
        raw: exactly the bytes that the length in the head announces.

    Raises:
        MalformedError: a wrong length, unknown flags, or parameters that exceed the message.
    """
    if len(raw) < HEAD:
        raise MalformedError(f"a QMI frame must have at least {HEAD} bytes; got {len(raw)}")
    marker, length, _, service, client = _HEAD.unpack_from(raw)
    if marker != MARKER or length != len(raw) - 1:
        raise MalformedError(f"a QMI frame announces {length + 1} bytes, but has {len(raw)}")
    form, kinds = (_CONTROL, _CONTROL_KINDS) if service == Service.CTL else (_SERVICE, _KINDS)
    if len(raw) < HEAD + form.size:
        raise MalformedError(f"a QMI message needs {form.size} bytes; got {len(raw) - HEAD}")
    flags, transaction, number, size = form.unpack_from(raw, HEAD)
    if flags not in kinds:
        raise MalformedError(f"a QMI message has unknown flags {flags:#04x}")
    body = raw[HEAD + form.size :]
    if size > len(body):
        raise MalformedError(f"a QMI message announces {size} bytes of parameters, but {len(body)} follow")
    return Message(
        kind=kinds[flags],
        service=service,
        client=client,
        transaction=transaction,
        number=number,
        parameters=_parameters(body[:size]),
    )


def next_length(head: bytes, direction: Direction) -> int | None:
    """Return the length of the frame that begins with `head`; None if no frame begins with these bytes.

    Args:
        head: at least 6 bytes.
        direction: the direction of the frames that this side receives.
    """
    marker, length, sent, service, client = _HEAD.unpack_from(head)
    least = HEAD - 1 + (_CONTROL if service == Service.CTL else _SERVICE).size
    fits = marker == MARKER and length >= least and sent == direction
    # Only the control service has the client 0, and its only other client number is the one for all clients.
    named = client in (0, BROADCAST) if service == Service.CTL else client != 0
    return length + 1 if fits and named else None


def _parameters(body: bytes) -> tuple[tuple[int, bytes], ...]:
    found: list[tuple[int, bytes]] = []
    at = 0
    while at < len(body):
        if len(body) - at < _PARAMETER.size:
            raise MalformedError("a QMI message ends within the head of a parameter")
        kind, size = _PARAMETER.unpack_from(body, at)
        at += _PARAMETER.size
        if size > len(body) - at:
            raise MalformedError(f"parameter {kind:#04x} of a QMI message exceeds the message")
        found.append((kind, body[at : at + size]))
        at += size
    return tuple(found)
