"""The information buffers of Microsoft's low-level UICC access ("MB low level UICC access").

In this service the size of a part precedes its offset.
"""

from __future__ import annotations

from typing import ClassVar

from lpad.base.errors import MalformedError
from lpad.codec.mbim.information_buffer import U32, Data, Information, Objects

LPA_CAPABILITY = bytes.fromhex("830107")
"""The object in TERMINAL CAPABILITY of a device with an LPA: LUI, LPD and LDS (SGP.22 v2.5, 3.4.2; ETSI TS
102 221, 11.1.19.2.4)."""
LONGEST_APDU = 261
"""The maximum number of bytes of an APDU: a header, Lc, 255 bytes of data and Le."""


class Atr(Information):
    """The card's answer to reset, at most 33 bytes."""

    atr: Data


class OpenChannelRequest(Information):
    """Opens a channel and selects an application on it."""

    aid: Data
    select_p2: U32
    """P2 of SELECT."""
    group: U32
    """The group: the same number other than 0 for all channels of one user."""


class OpenChannelAnswer(Information):
    """The channel's number, 1 to 19, and the card's answer to SELECT."""

    status: U32
    """See `status_word`."""
    channel: U32
    """0: the channel could not be opened."""
    response: Data = b""


class CloseChannelRequest(Information):
    """Closes a channel, or with channel 0 all channels of the group."""

    channel: U32
    group: U32


class CloseChannelAnswer(Information):
    """The card's status word after closing a channel."""

    status: U32


class ApduRequest(Information, kw_only=True):
    """Sends an APDU on a channel. By the specification, the modem builds the class byte itself."""

    HIDDEN: ClassVar[frozenset[str]] = frozenset({"apdu"})
    channel: U32
    secure_messaging: U32 = 0
    class_byte_type: U32
    """The kind of class byte; 0: inter-industry (GET RESPONSE), 1: extended (8x, Cx; ES10's STORE DATA)."""
    apdu: Data


class ApduAnswer(Information):
    """The card's answer without its status word, which is in `status`."""

    HIDDEN: ClassVar[frozenset[str]] = frozenset({"response"})
    status: U32
    response: Data = b""


class TerminalCapability(Information):
    """The objects in TERMINAL CAPABILITY's tag A9, each with its tag (ETSI TS 102 221, 11.1.19)."""

    objects: Objects


class ResetRequest(Information):
    """Restarts the card; with `pass_through` 1, the modem's own telephony then does not use the card."""

    pass_through: U32


class ResetAnswer(Information):
    """Whether the modem's own telephony is kept from using the card."""

    pass_through: U32


def status_word(status: int) -> bytes:
    """Return the two bytes of the status word in a Status field: SW1 is the lowest byte, then SW2.

    The status word 9000 is the number 0x0090 in the field.

    Raises:
        MalformedError: both bytes are 0, so there is no status word.
    """
    sw = (status & 0xFFFF).to_bytes(2, "little")
    if sw == b"\0\0":
        raise MalformedError("the modem's answer contains no status word")
    return sw


def status_number(sw: bytes) -> int:
    """Return a two-byte status word as the number in a Status field."""
    return int.from_bytes(sw, "little")
