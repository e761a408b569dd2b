"""The guard of a switch: what must come true, until when, and how far it has got.

switching ──▶ watching ──▶ kept
    │            │
    └─────┬──────┘
          ▼
     going-back ──▶ back, stuck
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from datetime import datetime  # noqa: TC003 - msgspec reads the annotations when it runs

from lpad.base.errors import InternalError

LONGEST = 24 * 3600.0
"""Seconds that a guard may be awaited."""

MOST_CONDITIONS = 8


class Phase(enum.StrEnum):
    """How far a guarded switch has got; in the journal before what it names is done."""

    SWITCHING = "switching"  # the card is asked to enable, and the modem to read the new profile
    WATCHING = "watching"  # the conditions are awaited
    KEPT = "kept"  # they were met
    GOING_BACK = "going-back"  # the profile before is enabled again, or one of the fallback order
    BACK = "back"
    STUCK = "stuck"  # none of them could be enabled


class Turn(enum.StrEnum):
    """What leads from one phase to the next."""

    READ = "read"  # card and modem agree on the new profile
    MET = "met"
    UNMET = "unmet"  # in time; or refused, taken back, cut off, or not even enabled
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """A condition, whether it was met, and what was seen last."""

    condition: str
    met: bool = False
    seen: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """The guard as everybody is shown it; `until` is wall-clock time, which may be set meanwhile.

    `previous` is the profile that was enabled before, None where none was.
    """

    requirements: tuple[Requirement, ...]
    until: datetime
    previous: str | None
    phase: Phase = Phase.SWITCHING

    def after(self, turn: Turn) -> Guard:
        """Return the guard one phase on.

        Raises:
            InternalError: the table has no such way, or the guard is to be kept and not all of it was met.
        """
        following = TRANSITIONS.get((self.phase, turn))
        if following is None:
            raise InternalError(f"a guard that is {self.phase} knows no '{turn}'")
        if turn is Turn.MET and not self.met:
            raise InternalError(
                f"a guard that was not met is not kept: {self.told() or 'it has no condition'}"
            )
        return replace(self, phase=following)

    def saw(self, condition: str, *, met: bool, seen: str) -> Guard:
        """Return the guard with what was seen of a condition; one that was met stays met."""
        return replace(
            self,
            requirements=tuple(
                replace(each, met=each.met or met, seen=seen) if each.condition == condition else each
                for each in self.requirements
            ),
        )

    @property
    def met(self) -> bool:
        """Whether every condition was seen met; a guard without conditions never is."""
        return bool(self.requirements) and not self.unmet

    @property
    def unmet(self) -> tuple[Requirement, ...]:
        """Those that are still awaited."""
        return tuple(each for each in self.requirements if not each.met)

    def told(self) -> str:
        """Return what was seen of what was not met, in words."""
        return "; ".join(f"{each.condition}: {each.seen or 'not seen yet'}" for each in self.unmet)
