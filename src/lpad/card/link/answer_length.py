"""Le for cards and modems that hand out no data unless a command says how much it expects.

SGP.22 leaves Le out, as T=0 has none, and most modems expect it so; not all (lpac#118, lpac#159). A question
that changes nothing, and that is answered with success and without data, shows that Le may be needed. lpad
asks it once more with Le = 00, and if that brings data, sends Le from there on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.card.port.link_refused import LinkRefused
from lpad.protocol.apdu import Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.base.deadline import Deadline
    from lpad.base.identifiers import Aid
    from lpad.card.link.link import Channel

_STORE_DATA = 0xE2
_LAST_BLOCK = 0x80
_HEADER = 5
_WRONG_LENGTH = 0x6700
_SUCCESS = b"\x90\x00"
_QUESTIONS = (
    b"\xbf\x20",
    b"\xbf\x22",
    b"\xbf\x28",
    b"\xbf\x2b",
    b"\xbf\x2d",
    b"\xbf\x3c",
    b"\xbf\x3e",
    b"\xbf\x43",
)
"""Tags of the ES10 functions that read, and may be sent twice."""


class AnswerLengthChannel:
    """A channel on which Le is sent where it must be."""

    def __init__(self, channel: Channel, *, needed: bool, learn: Callable[[bool], None]) -> None:
        """Wrap a channel.

        Args:
            channel: what does the work.
            needed: whether Le is known to be needed.
            learn: told when that turns out to be otherwise.
        """
        self._channel = channel
        self._needed = needed
        self._learn = learn

    @property
    def aid(self) -> Aid:
        """The application that answered SELECT."""
        return self._channel.aid

    def transmit(self, apdu: bytes, *, deadline: Deadline) -> bytes:
        """Send an APDU, as `Channel` says; a question whose answer is empty is asked in the other way."""
        if not _lacks_length(apdu):
            return self._channel.transmit(apdu, deadline=deadline)
        first, other = (apdu + b"\x00", apdu) if self._needed else (apdu, apdu + b"\x00")
        if apdu[3] or not apdu[_HEADER:].startswith(_QUESTIONS):
            return self._channel.transmit(first, deadline=deadline)
        try:
            answer = self._channel.transmit(first, deadline=deadline)
        except LinkRefused:
            if not self._needed:
                raise  # for another reason: this is how everybody sends it
        else:
            if not (_is_empty(answer) or (self._needed and _status(answer) == _WRONG_LENGTH)):
                return answer
        again = self._channel.transmit(other, deadline=deadline)
        if _is_empty(again):
            return again
        if Response.parse(again).ok or again[-2] in (0x61, 0x6C):
            self._needed = not self._needed
            self._learn(self._needed)
            return again
        return again if self._needed else answer

    def close(self, *, deadline: Deadline) -> None:
        """Close the channel, as `Channel` says."""
        self._channel.close(deadline=deadline)


def _lacks_length(apdu: bytes) -> bool:
    """Tell whether this is the last block of an ES10 command, and without Le."""
    return bool(
        len(apdu) > _HEADER
        and apdu[1] == _STORE_DATA
        and apdu[2] & _LAST_BLOCK
        and len(apdu) == _HEADER + apdu[4]
    )


def _is_empty(answer: bytes) -> bool:
    return answer == _SUCCESS


def _status(answer: bytes) -> int:
    return int.from_bytes(answer[-2:], "big")
