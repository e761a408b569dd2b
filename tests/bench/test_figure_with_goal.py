"""A figure of the bench, and whether it meets its goal."""

from __future__ import annotations

import pytest

from bench.figure_with_goal import at_most


@pytest.mark.parametrize(
    ("measured", "goal", "met"), [(20, 20, True), (21, 20, False), (0, 0, True), (1, 0, False)]
)
def test_a_figure_above_its_goal_misses_it(measured: float, goal: float, *, met: bool) -> None:
    """A figure up to its goal meets it, and a higher figure does not, even if the goal is 0."""
    assert at_most("bytes", measured, goal, "bytes").met is met
