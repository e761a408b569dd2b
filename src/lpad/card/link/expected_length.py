"""Le for cards and modems that return no data unless a command states how much it expects.

SGP.22 omits Le, because T=0 has no Le; most modems, but not all, expect commands without Le (lpac#118,
lpac#159). If a read-only command succeeds without data, Le may be needed. lpad repeats the command once with
Le = 00, and if that returns data, sends Le from then on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.card.port.link_refused import LinkRefused
from lpad.protocol.apdu import Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.base.deadline import Deadline
    from lpad.card.link.link import Channel
    from lpad.protocol.apdu import Apdu

_WRONG_LENGTH = 0x6700
_SUCCESS = b"\x90\x00"


class AnswerLengthChannel:
    """A channel that sends Le if it is needed."""

    def __init__(self, channel: Channel, *, needed: bool, learn: Callable[[bool], None]) -> None:
        """Wrap a channel.

        Args:
            needed: whether Le is known to be needed.
            learn: called with the right value if `needed` was wrong.
        """
        self._channel = channel
        self.aid = channel.aid
        self._needed = needed
        self._learn = learn

    def transmit(self, apdu: Apdu, *, deadline: Deadline) -> bytes:
        """Send an APDU (see `Channel`).

        A read-only command with an empty answer is repeated in the other form, with or without Le.
        """
        command = apdu.command
        if command.block is None or command.unfinished or command.le is not None:
            return self._channel.transmit(apdu, deadline=deadline)
        first, other = (apdu.with_le(), apdu) if self._needed else (apdu, apdu.with_le())
        if command.block > 0 or not command.intent.repeatable:
            return self._channel.transmit(first, deadline=deadline)
        try:
            answer = self._channel.transmit(first, deadline=deadline)
        except LinkRefused:
            if not self._needed:
                raise  # the command had no Le, so the refusal has another reason
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
        """Close the channel (see `Channel`)."""
        self._channel.close(deadline=deadline)


def _is_empty(answer: bytes) -> bool:
    return answer == _SUCCESS


def _status(answer: bytes) -> int:
    return int.from_bytes(answer[-2:], "big")
