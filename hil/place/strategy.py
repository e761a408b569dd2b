"""Where a place stands, and how it gets elsewhere: off, powered, daemon up, known card.

After a failed transition nothing is tried any more: the place's remaining tests are skipped with that reason.
"""

from __future__ import annotations

import time
from enum import IntEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable


class Stand(IntEnum):
    """Each rests upon those before it."""

    OFF = 0
    POWERED = 1
    DAEMON_UP = 2
    KNOWN_CARD = 3

    def __str__(self) -> str:
        return self.name.lower().replace("_", " ")


class PlaceBroken(Exception):
    """An earlier transition failed; the text says which, and why."""


class Steps(Protocol):
    """What a place does to go one step up or down."""

    def power_on(self) -> None:
        """Off to powered."""
        ...

    def start_daemon(self) -> None:
        """Powered to daemon up."""
        ...

    def know_card(self) -> None:
        """Daemon up to known card."""
        ...

    def stop_daemon(self) -> None:
        """Daemon up to powered."""
        ...

    def power_off(self) -> None:
        """Powered to off."""
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
    """Brings a place where a test wants it."""

    def __init__(self, steps: Steps) -> None:
        """Begin at off, from where power is given first."""
        self._steps = steps
        self.stand = Stand.OFF
        self.broken: str | None = None
        self.transitions: list[tuple[str, float]] = []
        """What was done, such as "powered to daemon up", and its seconds."""

    def to(self, wanted: Stand) -> None:
        """Go where a test wants the place.

        Raises:
            PlaceBroken: an earlier transition failed, so none is tried.
            Exception: whatever the transition that fails now raises.
        """
        if self.broken is not None:
            raise PlaceBroken(self.broken)
        while self.stand != wanted:
            up = wanted > self.stand
            following = Stand(self.stand + (1 if up else -1))
            self._step(_UP[self.stand] if up else _DOWN[self.stand], following)

    def lost(self) -> None:
        """Say that the card may be another by now, as after its power was cut: it must be known anew."""
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
