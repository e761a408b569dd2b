"""One figure with its reference."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the bench's result."""

    name: str
    measured: float
    least: float
    """The reference with which the measured value is compared (`ratio`)."""
    unit: str
    goal: float
    """The largest accepted ratio."""
    spread: float = 0.0
    """The share by which equal runs may differ, and by which a missed figure may exceed the listed one."""

    @property
    def ratio(self) -> float:
        """The ratio of the measured value to the reference; the measured value if the reference is 0."""
        return self.measured / self.least if self.least else self.measured

    @property
    def met(self) -> bool:
        """Whether the goal is met."""
        return self.ratio <= self.goal


def at_most(name: str, measured: float, goal: float, unit: str, *, spread: float = 0.0) -> Figure:
    """Return a figure whose reference is the goal, so that a ratio of at most 1 meets the goal.

    If the goal is 0, the ratio is the measured value, which must be 0.
    """
    return Figure(name, measured, goal, unit, 1.0 if goal else 0.0, spread)
