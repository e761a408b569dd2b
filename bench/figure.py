"""One figure with what it is held against."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the result."""

    name: str
    measured: float
    least: float
    """What the measured value is held against; the ratio is what counts."""
    unit: str
    goal: float
    """The largest ratio that is good."""

    @property
    def ratio(self) -> float:
        """How many times the least it was."""
        return self.measured / self.least if self.least else self.measured

    @property
    def met(self) -> bool:
        """Whether the goal is reached."""
        return self.ratio <= self.goal
