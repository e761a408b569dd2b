"""The information buffers of Microsoft's low-level UICC access ("MB low level UICC access").

In this service the size of a part stands before its offset.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from lpad.base.errors import MalformedError
from lpad.codec.mbim.information_buffer import Kind

LONGEST_APDU = 261
"""Bytes: a header, Lc, 255 bytes of data and Le."""
LONGEST_AID = 32

_Fields = tuple[tuple[str, Kind], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Atr:
    """The card's answer to reset, at most 33 bytes."""

    FIELDS: ClassVar[_Fields] = (("atr", Kind.DATA_SIZE_FIRST),)
    atr: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenChannelRequest:
    """Opens a channel and selects an application on it."""

    FIELDS: ClassVar[_Fields] = (
        ("aid", Kind.DATA_SIZE_FIRST),
        ("select_p2", Kind.U32),
        ("group", Kind.U32),
    )
    aid: bytes
    select_p2: int
    """P2 of SELECT."""
    group: int
    """A number other than 0 for all channels of one user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenChannelAnswer:
    """The channel's number, 1 to 19, and the card's answer to SELECT."""

    FIELDS: ClassVar[_Fields] = (
        ("status", Kind.U32),
        ("channel", Kind.U32),
        ("response", Kind.DATA_SIZE_FIRST),
    )
    status: int
    """See `status_word`."""
    channel: int
    """0: the channel could not be opened."""
    response: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseChannelRequest:
    """Closes a channel, or with channel 0 each one of the group."""

    FIELDS: ClassVar[_Fields] = (("channel", Kind.U32), ("group", Kind.U32))
    channel: int
    group: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseChannelAnswer:
    """The card's status word."""

    FIELDS: ClassVar[_Fields] = (("status", Kind.U32),)
    status: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ApduRequest:
    """Sends an APDU on a channel. The function builds the class byte itself, by the letter."""

    FIELDS: ClassVar[_Fields] = (
        ("channel", Kind.U32),
        ("secure_messaging", Kind.U32),
        ("class_byte_type", Kind.U32),
        ("apdu", Kind.DATA_SIZE_FIRST),
    )
    channel: int
    class_byte_type: int
    """0: inter-industry, as GET RESPONSE is; 1: extended (8x, Cx), as ES10's STORE DATA is."""
    apdu: bytes = field(repr=False)
    secure_messaging: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ApduAnswer:
    """The card's answer without its status word, which is in `status`."""

    FIELDS: ClassVar[_Fields] = (("status", Kind.U32), ("response", Kind.DATA_SIZE_FIRST))
    status: int
    response: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalCapability:
    """The objects in TERMINAL CAPABILITY's tag A9, each with its tag (ETSI TS 102 221, 11.1.19)."""

    FIELDS: ClassVar[_Fields] = (("objects", Kind.OBJECTS_SIZE_FIRST),)
    objects: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetRequest:
    """Restarts the card; 1 then keeps the modem's own telephony off it."""

    FIELDS: ClassVar[_Fields] = (("pass_through", Kind.U32),)
    pass_through: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetAnswer:
    """Whether the modem's own telephony is kept off the card."""

    FIELDS: ClassVar[_Fields] = (("pass_through", Kind.U32),)
    pass_through: int


def status_word(status: int) -> bytes:
    """Return the two bytes of the status word in a Status field: SW1 is the lowest byte, then SW2.

    9000 is the number 0x0090.

    Raises:
        MalformedError: these bytes of the number are 0, so there is no status word.
    """
    sw = (status & 0xFFFF).to_bytes(2, "little")
    if sw == b"\0\0":
        raise MalformedError("the modem's answer contains no status word")
    return sw


def status_number(sw: bytes) -> int:
    """Return the number for a Status field of a two-byte status word."""
    return int.from_bytes(sw, "little")
