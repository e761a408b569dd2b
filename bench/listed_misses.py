"""The missed goals that docs/bench.md lists, each with its figure and reason."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.figure_with_goal import Figure

PAGE = Path(__file__).resolve().parent.parent / "docs" / "bench.md"
HEADING = "## Missed goals"
PYTHON = "3.11.2"
"""The version of Debian's Python with which the listed instructions and memory were measured."""


def listed_misses(text: str) -> dict[str, float]:
    """Return the measured value of each listed figure by the figure's name.

    Args:
        text: a Markdown page whose section `HEADING` has a table of name, measured value, goal and reason.

    Raises:
        ValueError: the section is missing, or a row has no value or no reason.
    """
    _, found, section = text.partition(f"{HEADING}\n")
    if not found:
        raise ValueError(f"the page has no section '{HEADING}'")
    rows = [line for line in section.partition("\n## ")[0].splitlines() if line.startswith("|")]
    misses = {}
    for row in rows[2:]:
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        if len(cells) != 4 or not cells[3]:
            raise ValueError(f"a missed goal needs name, value, goal and reason: {row}")
        misses[cells[0]] = float(cells[1].replace(",", ""))
    return misses


def verdict(figure: Figure, misses: dict[str, float]) -> str | None:
    """Return the reason why a figure fails the check; None if it meets its goal or its listed value.

    Args:
        misses: the result of `listed_misses`.
    """
    if figure.met:
        return None
    listed = misses.get(figure.name)
    said = f"{figure.name}: {figure.measured:g} {figure.unit}"
    if listed is None:
        return f"{said} misses its goal, and docs/bench.md does not list it"
    if figure.measured > listed * (1 + figure.spread):
        return f"{said} is worse than {listed:g}, which docs/bench.md lists"
    return None


def comparable(figures: Sequence[Figure], version: str) -> tuple[list[Figure], str | None]:
    """Return the figures that can be compared with the list, and a notice if some cannot.

    Args:
        figures: the measured figures; those with a spread depend on the version of Python.
        version: the version of Python, such as 3.11.2.
    """
    if version == PYTHON:
        return list(figures), None
    notice = (
        f"instructions and memory are not compared: docs/bench.md lists them for Python {PYTHON},"
        f" and this is {version}"
    )
    return [each for each in figures if not each.spread], notice
