"""The guard of a switch: its conditions, its time limit and its progress.

switching ──▶ watching ──▶ kept
    │            │
    └─────┬──────┘
          ▼
     going-back ──▶ back, stuck
"""

from __future__ import annotations

import enum
from datetime import datetime  # noqa: TC003 - msgspec reads the annotations when it runs

from msgspec.structs import replace

from lpad.base.errors import InternalError
from lpad.base.frozen import Frozen

LONGEST = 24 * 3600.0
"""The longest time limit of a guard, in seconds."""

MOST_CONDITIONS = 8


class Phase(enum.StrEnum):
    """The phases of a guarded switch; each is in the journal before its actions begin."""

    SWITCHING = "switching"  # the card is asked to enable the new profile, and the modem to read it
    WATCHING = "watching"  # the conditions are awaited
    KEPT = "kept"  # the conditions were met
    GOING_BACK = "going-back"  # lpad enables the previous profile, or one of the fallback order
    BACK = "back"
    STUCK = "stuck"  # no profile could be enabled


class Turn(enum.StrEnum):
    """The events that lead from one phase to the next."""

    READ = "read"  # the card and the modem both report the new profile
    MET = "met"
    UNMET = "unmet"  # not met in time, refused, cancelled or cut off; or the profile is not enabled
    RETURNED = "returned"
    EXHAUSTED = "exhausted"


TRANSITIONS: dict[tuple[Phase, Turn], Phase] = {
    (Phase.SWITCHING, Turn.READ): Phase.WATCHING,
    (Phase.SWITCHING, Turn.UNMET): Phase.GOING_BACK,
    (Phase.WATCHING, Turn.MET): Phase.KEPT,
    (Phase.WATCHING, Turn.UNMET): Phase.GOING_BACK,
    (Phase.GOING_BACK, Turn.RETURNED): Phase.BACK,
    (Phase.GOING_BACK, Turn.EXHAUSTED): Phase.STUCK,
}


class Requirement(Frozen, kw_only=True):
    """A condition, whether it was met, and the last observation."""

    condition: str
    met: bool = False
    seen: str | None = None


class Guard(Frozen, kw_only=True):
    """The guard as the API shows it; `until` is by the wall clock, which may be set meanwhile.

    `previous` is the previously enabled profile, or None. If the guard was not met, `layer` is the lowest
    layer that failed, and `cause` the network's reason, if it gave one.
    """

    requirements: tuple[Requirement, ...]
    until: datetime
    previous: str | None
    layer: str | None = None
    cause: str | None = None
    phase: Phase = Phase.SWITCHING

    def after(self, turn: Turn) -> Guard:
        """Return the guard in the phase that follows from an event.

        Raises:
            InternalError: `TRANSITIONS` has no such transition, or the guard would be kept although a
                condition is unmet.
        """
        following = TRANSITIONS.get((self.phase, turn))
        if following is None:
            raise InternalError(f"a guard in the phase '{self.phase}' cannot take the turn '{turn}'")
        if turn is Turn.MET and not self.met:
            raise InternalError(
                f"a guard that was not met is not kept: {self.told() or 'it has no condition'}"
            )
        return replace(self, phase=following)

    def saw(self, condition: str, *, met: bool, seen: str) -> Guard:
        """Return the guard with an observation of a condition; a met condition stays met."""
        return replace(
            self,
            requirements=tuple(
                replace(each, met=each.met or met, seen=seen) if each.condition == condition else each
                for each in self.requirements
            ),
        )

    def seen(self, condition: str) -> str | None:
        """Return the last observation of a condition, in words; None if there is none."""
        return next((each.seen for each in self.requirements if each.condition == condition), None)

    @property
    def met(self) -> bool:
        """Whether every condition was met; a guard without conditions is never met."""
        return bool(self.requirements) and not self.unmet

    @property
    def unmet(self) -> tuple[Requirement, ...]:
        """The unmet conditions."""
        return tuple(each for each in self.requirements if not each.met)

    def told(self) -> str:
        """Return the last observations of the unmet conditions, in words."""
        return "; ".join(f"{each.condition}: {each.seen or 'not seen yet'}" for each in self.unmet)
