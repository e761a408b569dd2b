"""A card that records each command and the time that it took."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from bench.download_minimum import Exchange

if TYPE_CHECKING:
    from lpad.simulator.euicc.card import SoftCard


class RecordingCard:
    """Records the commands that a modem or reader sends to a card, and the card's responses."""

    def __init__(self, card: SoftCard) -> None:
        """Wrap a card."""
        self._card = card
        self.log: list[Exchange] = []
        self.last_at = 0.0
        """The time of the last answer, on the clock of time.perf_counter."""

    def transmit(self, apdu: bytes) -> bytes:
        """Pass an APDU to the card, record the exchange, and return the response."""
        start = time.perf_counter()
        response = self._card.transmit(apdu)
        self.last_at = time.perf_counter()
        self.log.append(Exchange(apdu, response, self.last_at - start))
        return response

    def reset(self) -> bytes:
        """Reset the card, and return its ATR."""
        return self._card.reset()
