"""In Markdown tables, each row has its own line with as many cells as the head.

A program that wraps lines can join rows; a page then shows the table as one paragraph with bars.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).parents[1]
FOLDERS = (
    "src",
    "tests",
    "faults",
    "hil",
    "bench",
    "fuzz",
    "docs",
    "examples",
    "package",
    "config",
    ".github",
)
RULE = re.compile(r"\s*\|(\s*:?-{3,}:?\s*\|)+\s*")
RULE_WITHIN = re.compile(r"\|\s*:?-{3,}:?\s*\|")
NO_BORDER = re.compile(r"\\\||`[^`]*`")
FENCE = re.compile(r"\s*(```|~~~)")


def broken(lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Yield the number, from 1, of each line that breaks a table, with the reason."""
    fenced = False
    cells = 0
    for number, line in enumerate(lines, start=1):
        if FENCE.match(line):
            fenced = not fenced
        if fenced:
            continue
        if RULE.fullmatch(line):
            cells = _cells(line)
            if number > 1 and _cells(lines[number - 2]) != cells:
                yield number - 1, f"the head of a table of {cells} columns has other ones"
        elif RULE_WITHIN.search(NO_BORDER.sub("", line)):
            yield number, "the rows of a table are run together"
        elif cells and "|" in line:
            if _cells(line) != cells:
                yield number, f"a row of a table of {cells} columns has {_cells(line)}"
        elif cells and line.strip() and not line.startswith("<!--"):
            yield number, "a row of a table continues on another line"
        else:
            cells = 0


def _cells(line: str) -> int:
    return NO_BORDER.sub("", line).strip().count("|") - 1


def texts(root: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield the lines of each Markdown page, and of each Python string with a bar, with its place."""
    yield from ((path.name, _lines(path)) for path in root.glob("*.md"))
    for folder in FOLDERS:
        for path in (root / folder).rglob("*"):
            place = path.relative_to(root).as_posix()
            if path.suffix == ".md":
                yield place, _lines(path)
            elif path.suffix == ".py" and path != Path(__file__):
                for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                    if isinstance(node, ast.Constant) and isinstance(node.value, str) and "|" in node.value:
                        yield f"{place}:{node.lineno}", node.value.splitlines()


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def test_no_table_is_broken() -> None:
    """No table in a Markdown page or a Python string is broken."""
    seen = 0
    found = []
    for place, lines in texts(ROOT):
        seen += sum(RULE.fullmatch(line) is not None for line in lines)
        found += [f"{place}, line {number}: {told}" for number, told in broken(lines)]
    assert found == []
    assert seen > 50


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("| a | b |\n|---|---|\n| `x|y` | \\| |\n\nText | text.", []),
        ("```\n| a | |---|---| | b |\n```", []),
        ("text\n| a | b | |---|---| | `c` | d |", [2]),
        ("| a | b |\n|---|---|\n| c | d | e | f |", [3]),
        ("| a | b |\n|---|---|\n| c | long\ntext |\n", [3, 4]),
        ("| a | b |\n|---|---|\n| c | d |\ntext", [4]),
        ("| a | b | c |\n|---|---|\n", [1]),
    ],
)
def test_broken_tables_are_found(text: str, lines: list[int]) -> None:
    """Joined rows, rows on several lines and wrong numbers of cells are found; code is ignored."""
    assert [number for number, _ in broken(text.splitlines())] == lines
