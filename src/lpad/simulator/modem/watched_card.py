"""The card in a simulated modem, with a listener for its resets."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.simulator.modem.commands import Card


class WatchedCard:
    """A card that informs the modem of each reset."""

    def __init__(self, card: Card, on_reset: Callable[[], None]) -> None:
        """Wrap a card, which may be replaced later.

        Args:
            on_reset: a function that is called after each reset.
        """
        self.card = card
        self._on_reset = on_reset

    def transmit(self, apdu: bytes) -> bytes:
        """Process a command APDU (see `Card`)."""
        return self.card.transmit(apdu)

    def reset(self) -> bytes:
        """Restart the card (see `Card`)."""
        atr = self.card.reset()
        self._on_reset()
        return atr
