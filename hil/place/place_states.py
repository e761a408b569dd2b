"""The states of a place, and the transitions between them: off, powered, daemon up, known card.

After a failed transition, the bench tries no other transition, and skips the place's remaining tests.
"""

from __future__ import annotations

import time
from enum import IntEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable


class Stand(IntEnum):
    """The states of a place; each requires the previous one."""

    OFF = 0
    POWERED = 1
    DAEMON_UP = 2
    KNOWN_CARD = 3

    def __str__(self) -> str:
        return self.name.lower().replace("_", " ")


class PlaceBroken(Exception):
    """An earlier transition has failed; the text names that transition and the reason."""


class Steps(Protocol):
    """The actions of a place for each transition."""

    def power_on(self) -> None:
        """Go from off to powered."""
        ...

    def start_daemon(self) -> None:
        """Go from powered to daemon up."""
        ...

    def know_card(self) -> None:
        """Go from daemon up to known card."""
        ...

    def stop_daemon(self) -> None:
        """Go from daemon up to powered."""
        ...

    def power_off(self) -> None:
        """Go from powered to off."""
        ...


_UP: dict[Stand, Callable[[Steps], None]] = {
    Stand.OFF: lambda steps: steps.power_on(),
    Stand.POWERED: lambda steps: steps.start_daemon(),
    Stand.DAEMON_UP: lambda steps: steps.know_card(),
}
_DOWN: dict[Stand, Callable[[Steps], None]] = {
    Stand.KNOWN_CARD: lambda _steps: None,
    Stand.DAEMON_UP: lambda steps: steps.stop_daemon(),
    Stand.POWERED: lambda steps: steps.power_off(),
}


class Strategy:
    """Brings a place into the state that a test needs."""

    def __init__(self, steps: Steps) -> None:
        """Create the strategy of a place that is in the state off."""
        self._steps = steps
        self.stand = Stand.OFF
        self.broken: str | None = None
        self.transitions: list[tuple[str, float]] = []
        """The transitions made, such as "powered to daemon up", with their seconds."""

    def to(self, wanted: Stand) -> None:
        """Bring the place into the state that a test needs.

        Raises:
            PlaceBroken: an earlier transition has failed, so no transition is tried.
            Exception: a transition fails now, with this exception.
        """
        if self.broken is not None:
            raise PlaceBroken(self.broken)
        while self.stand != wanted:
            up = wanted > self.stand
            following = Stand(self.stand + (1 if up else -1))
            self._step(_UP[self.stand] if up else _DOWN[self.stand], following)

    def lost(self) -> None:
        """Record that the card must be identified again, because it may have been swapped without power."""
        self.stand = min(self.stand, Stand.DAEMON_UP)

    def _step(self, act: Callable[[Steps], None], following: Stand) -> None:
        told = f"{self.stand} to {following}"
        began = time.monotonic()
        try:
            act(self._steps)
        except BaseException as error:
            self.broken = f"{told} failed: {error}"
            raise
        self.transitions.append((told, time.monotonic() - began))
        self.stand = following
