"""A card that records its commands, and the time that it needed for each."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from bench.download_minimum import Exchange

if TYPE_CHECKING:
    from lpad.simulator.euicc.card import SoftCard


class RecordingCard:
    """Records between modem and card."""

    def __init__(self, card: SoftCard) -> None:
        """Wrap a card."""
        self._card = card
        self.log: list[Exchange] = []
        self.last_at = 0.0
        """When the last command was answered, as time.perf_counter shows it."""

    def transmit(self, apdu: bytes) -> bytes:
        """Pass an APDU on."""
        start = time.perf_counter()
        response = self._card.transmit(apdu)
        self.last_at = time.perf_counter()
        self.log.append(Exchange(apdu, response, self.last_at - start))
        return response

    def reset(self) -> bytes:
        """Pass a reset on."""
        return self._card.reset()
