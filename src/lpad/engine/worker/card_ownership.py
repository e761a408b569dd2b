"""Ownership of cards: each is served under one name, whichever ways lead to it.

A card that is reached twice, such as through a modem and through a reader, would have two workers with two
views of one outbox: each would take the other's copies for another card's.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lpad.base.errors import CardServed

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True, eq=False)
class Claimant:
    """Who serves a card under a name.

    `when_free` is called from another thread when a card that is another's is let go, and returns at once.
    Two of one name are two: a card that was taken out of the settings and put in again may be with the
    first one still.
    """

    name: str
    when_free: Callable[[], None]


class CardOwnership:
    """Which EID is served by whom; whoever came second is told once when the first lets go."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holders: dict[str, Claimant] = {}
        self._waiting: dict[Claimant, str] = {}

    def claim(self, eid: str, claimant: Claimant) -> None:
        """Serve a card from now on, and no other any more.

        Raises:
            CardServed: another serves it already.
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
        """Serve no card any more, since it can't be reached; whoever waits for one goes on waiting."""
        with self._lock:
            told = self._let_go(claimant)
        for each in told:
            each.when_free()

    def leave(self, claimant: Claimant) -> None:
        """Serve no card any more, and wait for none: the settings don't name it, or name it elsewhere."""
        with self._lock:
            self._waiting.pop(claimant, None)
        self.release(claimant)

    def _let_go(self, claimant: Claimant, *, but: str | None = None) -> list[Claimant]:
        """Forget what somebody serves, and return who waits for that."""
        gone = [eid for eid, holder in self._holders.items() if holder is claimant and eid != but]
        for eid in gone:
            del self._holders[eid]
        told = [each for each, eid in self._waiting.items() if eid in gone]
        for each in told:
            del self._waiting[each]
        return told
