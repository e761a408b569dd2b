"""The check of the bench: a missed goal must be listed, and a listed figure must not get worse."""

from __future__ import annotations

import pytest

from bench.figure_with_goal import at_most
from bench.listed_misses import HEADING, PAGE, PYTHON, comparable, listed_misses, verdict

SECTION = (
    f"# Bench\n\n{HEADING}\n\n| figure | measured | goal | reason |\n|---|---|---|---|\n"
    "| lines | 1,042 | 20 | the card |\n\n## Next\n\n| other | 1 | 2 | 3 |\n"
)


def test_the_section_is_read() -> None:
    """Only rows of the section on missed goals are read; a value may have a thousands separator."""
    assert listed_misses(SECTION) == {"lines": 1042.0}


def test_a_row_needs_a_reason() -> None:
    """A missed goal without a reason is refused."""
    with pytest.raises(ValueError, match="name, value, goal and reason"):
        listed_misses(SECTION.replace("the card", " "))


def test_a_page_without_the_section_is_refused() -> None:
    """If the heading was renamed, the check fails instead of treating the list as empty."""
    with pytest.raises(ValueError, match="no section"):
        listed_misses("# Bench\n")


def test_the_page_lists_its_misses() -> None:
    """The check can read the list of misses in docs/bench.md."""
    assert listed_misses(PAGE.read_text(encoding="utf-8")) is not None


@pytest.mark.parametrize(
    ("measured", "spread", "fails"),
    [(20, 0.0, False), (1042, 0.0, False), (1043, 0.0, True), (1062, 0.02, False), (1064, 0.02, True)],
)
def test_a_listed_figure_may_not_get_worse(measured: float, spread: float, *, fails: bool) -> None:
    """A met goal passes, and so does the listed value; a figure above it by more than the spread fails."""
    found = verdict(at_most("lines", measured, 20, "lines", spread=spread), listed_misses(SECTION))
    assert (found is not None) is fails


def test_an_unlisted_miss_fails() -> None:
    """A missed goal that is not listed fails the check, with its figure and value."""
    assert "other: 3 calls misses its goal" in str(verdict(at_most("other", 3, 2, "calls"), {"lines": 1.0}))


def test_another_python_needs_other_instructions_and_memory() -> None:
    """Under a different version of Python, only counts are compared, and a notice states this."""
    figures = [at_most("lines", 3, 2, "calls"), at_most("memory", 50, 38, "MiB", spread=0.03)]
    assert comparable(figures, PYTHON) == (figures, None)
    compared, notice = comparable(figures, "3.13.1")
    assert compared == figures[:1]
    assert "3.13.1" in str(notice)
