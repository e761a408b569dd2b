"""Split a stream of bytes into messages, join their fragments, and find the next message after noise.

A cdc-wdm port returns one message or fragment for each read; a socket or a pty returns any number of bytes.
lpad reads every source as a stream.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from lpad.base.errors import MalformedError
from lpad.codec.mbim.framing import HEAD, LARGEST_INFORMATION, TO_HOST, Fragment, decode, joined, next_length

if TYPE_CHECKING:
    from lpad.codec.mbim.messages import Message

_MOST_UNFINISHED = 8
"""The maximum number of messages whose fragments may be interleaved; a further one discards the oldest."""


class Receiver:
    """Collects the bytes of one direction; never raises: bytes that are not a message are counted."""

    def __init__(self, *, types: frozenset[int] = TO_HOST) -> None:
        """Create an empty receiver.

        Args:
            types: the types of message that this side can receive; they show where noise ends.
        """
        self._types = types
        self._bytes = bytearray()
        self._unfinished: dict[tuple[int, int], list[Fragment]] = {}
        self.noise = 0
        """The number of bytes that belonged to no message."""
        self.broken = 0
        """The number of discarded messages: malformed, or with fragments out of order."""

    def receive(self, data: bytes) -> list[Message]:
        """Add bytes, and return the messages that are now complete, in order."""
        self._bytes += data
        found: list[Message] = []
        while len(self._bytes) >= HEAD:
            length = next_length(bytes(self._bytes[:HEAD]), self._types)
            if length is None:
                self._skip()
                continue
            if len(self._bytes) < length:
                break
            raw = bytes(self._bytes[:length])
            del self._bytes[:length]
            try:
                each = decode(raw)
                message = self._join(each) if isinstance(each, Fragment) else each
            except MalformedError:
                self.broken += 1
            else:
                found += [] if message is None else [message]
        return found

    def forget(self) -> None:
        """Forget unfinished messages, after a reset or if their other fragments do not arrive."""
        self._bytes.clear()
        self._unfinished.clear()

    def _skip(self) -> None:
        """Drop the first byte, with which no message begins."""
        self.noise += 1
        del self._bytes[0]

    def _join(self, fragment: Fragment) -> Message | None:
        key = (fragment.type, fragment.transaction)
        parts = self._unfinished.pop(key, [])
        if fragment.current == 0:
            self.broken += bool(parts)  # the sender has started the message again
            parts = []
        size = sum(len(each.payload) for each in parts) + len(fragment.payload)
        if (
            fragment.current != len(parts)
            or (parts and fragment.total != parts[0].total)
            or size > LARGEST_INFORMATION
            or not fragment.payload
        ):
            raise MalformedError("a fragment of an MBIM message is out of order")
        parts.append(fragment)
        if len(parts) == fragment.total:
            return joined(replace(fragment, payload=b"".join(each.payload for each in parts)))
        self._unfinished[key] = parts
        if len(self._unfinished) > _MOST_UNFINISHED:
            del self._unfinished[next(iter(self._unfinished))]
            self.broken += 1
        return None
