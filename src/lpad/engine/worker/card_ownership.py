"""Ownership of cards: each card is served under one name, even if several ports lead to it.

Without an owner, a card that is reached both through a modem and through a reader would have two workers with
different views of one outbox. Each worker would mistake the copies of the other worker for another card's.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from lpad.base.errors import CardServed
from lpad.base.frozen import Frozen

if TYPE_CHECKING:
    from collections.abc import Callable


class Claimant(Frozen, eq=False):
    """The object that serves a card under a name.

    `when_free` is called from another thread when another owner releases the card; it must return
    immediately. Two claimants with the same name are distinct, because a card that was removed from the
    settings and added again may still belong to the first one.
    """

    name: str
    when_free: Callable[[], None]


class CardOwnership:
    """The owner of each EID; later claimants are informed once when the owner releases the card."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holders: dict[str, Claimant] = {}
        self._waiting: dict[Claimant, str] = {}

    def claim(self, eid: str, claimant: Claimant) -> None:
        """Make the claimant the owner of this card, and of no other card.

        Raises:
            CardServed: another claimant already serves the card.
        """
        with self._lock:
            holder = self._holders.get(eid, claimant)
            self._waiting.pop(claimant, None)
            told = self._let_go(claimant, but=eid)
            if holder is claimant:
                self._holders[eid] = claimant
            else:
                self._waiting[claimant] = eid
        for each in told:
            each.when_free()
        if holder is not claimant:
            raise CardServed(
                f"lpad already serves this card as '{holder.name}'; list it only once in the settings, with"
                " the port or reader that lpad should use",
                served_as=holder.name,
            )

    def release(self, claimant: Claimant) -> None:
        """Release a claimant's card, because lpad cannot reach it; a waiting claim remains."""
        with self._lock:
            told = self._let_go(claimant)
        for each in told:
            each.when_free()

    def leave(self, claimant: Claimant) -> None:
        """Release the card and withdraw a waiting claim, because the card was removed or moved."""
        with self._lock:
            self._waiting.pop(claimant, None)
        self.release(claimant)

    def _let_go(self, claimant: Claimant, *, but: str | None = None) -> list[Claimant]:
        """End a claimant's ownership of all cards except `but`; return the claimants that waited for them."""
        gone = [eid for eid, holder in self._holders.items() if holder is claimant and eid != but]
        for eid in gone:
            del self._holders[eid]
        told = [each for each, eid in self._waiting.items() if eid in gone]
        for each in told:
            del self._waiting[each]
        return told
