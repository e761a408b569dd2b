"""Split a stream of bytes into messages by their lengths, and find the next message after noise.

A cdc-wdm port returns one frame for each read; a socket or a pty returns any number of bytes. lpad reads
every source as a stream.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.base.errors import MalformedError
from lpad.codec.qmi.framing import HEAD, Direction, decode, next_length

if TYPE_CHECKING:
    from lpad.codec.qmi.framing import Message


class Receiver:
    """Collects the bytes of one direction; never raises: bytes that are not a message are counted."""

    def __init__(self, direction: Direction = Direction.TO_HOST) -> None:
        """Create an empty receiver.

        Args:
            direction: the direction of the frames to receive; frames of the other direction are noise.
        """
        self._direction = direction
        self._bytes = bytearray()
        self.noise = 0
        """The number of bytes that belonged to no frame."""
        self.broken = 0
        """The number of frames that contained no valid message."""

    def receive(self, data: bytes) -> list[Message]:
        """Add bytes, and return the messages that are now complete, in order."""
        self._bytes += data
        found: list[Message] = []
        while len(self._bytes) >= HEAD:
            length = next_length(bytes(self._bytes[:HEAD]), self._direction)
            if length is None:
                self.noise += 1
                del self._bytes[0]
                continue
            if len(self._bytes) < length:
                break
            raw = bytes(self._bytes[:length])
            del self._bytes[:length]
            try:
                found.append(decode(raw))
            except MalformedError:
                self.broken += 1
        return found

    def forget(self) -> None:
        """Forget an unfinished frame: after a reset, or if its other bytes do not arrive."""
        self._bytes.clear()
