"""Logical channels that a simulated modem opens on its card for a host (ETSI TS 102 221, 11.1.17)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.protocol.apdu import class_byte

if TYPE_CHECKING:
    from collections.abc import Callable

SUCCESS = (0x90, 0x91, 0x61)
"""The first bytes of status words that mean that the card has carried out the command."""
_MOST_RESPONSES = 300
_STORE_DATA = 0xE2
_LAST_BLOCK = 0x80


class CardChannels:
    """Opens and closes channels, and fetches whole answers, as modems do."""

    def __init__(self, transmit: Callable[[bytes], bytes]) -> None:
        """Create the object for the card behind `transmit`.

        Args:
            transmit: a function that passes an APDU to the card.
        """
        self._transmit = transmit

    def open(self) -> int | None:
        """Open a channel and return its number; None if the card has none left."""
        opened = self._transmit(bytes.fromhex("0070000001"))
        return opened[0] if opened[-2] in SUCCESS else None

    def close(self, number: int) -> bytes:
        """Close a channel; return the card's status word."""
        return self._transmit(bytes([0x00, 0x70, 0x80, number]))[-2:]

    def select(self, number: int, aid: bytes, p2: int) -> bytes:
        """Select an application; return the card's answer, whose status word may be 61xx."""
        return self._transmit(bytes([class_byte(0, number), 0xA4, 0x04, p2, len(aid)]) + aid)

    def fetched(self, answer: bytes, number: int) -> bytes:
        """Return the data that an answer contains, or that its 61xx announces, without status word."""
        if answer[-2] != 0x61:
            return answer[:-2]
        return self._transmit(bytes([class_byte(0, number), 0xC0, 0, 0, answer[-1]]))[:-2]

    def whole(self, apdu: bytes, answer: bytes, number: int) -> bytes:
        """Return the whole answer, fetched after 61xx and 6Cxx, like firmware that hides both."""
        within_chain = apdu[1] == _STORE_DATA and not apdu[2] & _LAST_BLOCK
        if answer[-2] == 0x6C and not within_chain:
            answer = self._transmit(apdu[: 5 + apdu[4]] + answer[-1:])
        data = b""
        for _ in range(_MOST_RESPONSES):
            if answer[-2] != 0x61:
                break
            data += answer[:-2]
            answer = self._transmit(bytes([class_byte(0, number), 0xC0, 0, 0, answer[-1]]))
        return data + answer
