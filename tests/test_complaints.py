"""docs/complaints.md: each report has tests that exist and cite it, or is in docs/out-of-scope.md."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OUT_OF_SCOPE = (ROOT / "docs" / "out-of-scope.md").read_text(encoding="utf-8")
NUMBERS = {
    "A": range(1, 16),
    "B": range(16, 18),
    "F": range(36, 45),
    "G": range(45, 48),
    "I": range(54, 60),
    "K": range(1, 15),
    "Q": range(1, 13),
}
"""The numbers of the collected reports, by theme."""
CITED = "ABFGI"
"""The themes whose reports are issues of a project, whose numbers a test can cite."""


@dataclass(frozen=True)
class Row:
    """One row of the table of complaints."""

    number: str
    reports: tuple[str, ...]
    tests: tuple[tuple[str, str], ...]
    """Each test's file and function."""
    out_of_scope: bool


def rows() -> list[Row]:
    """Return the rows of docs/complaints.md."""
    page = (ROOT / "docs" / "complaints.md").read_text(encoding="utf-8")
    found = []
    for number, reported, shown in re.findall(
        r"^\| ([A-Z]\d+) \| (.*?) \| .*? \| (.*) \|$", page, re.MULTILINE
    ):
        reports = re.findall(r"[\w/-]+#\d+|sigmo \w+", reported)
        tests = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", shown)
        found.append(Row(number, tuple(reports), tuple(tests), "out of scope" in shown))
    return found


@cache
def docstrings(file: str) -> dict[str, str]:
    """Return the docstrings of a file's tests by function."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return {
        node.name: ast.get_docstring(node) or ""
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def test_every_report_is_on_the_page() -> None:
    """The page has each report's number exactly once."""
    assert sorted(row.number for row in rows()) == sorted(
        f"{theme}{number}" for theme, numbers in NUMBERS.items() for number in numbers
    )


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.number)
def test_a_complaint_is_answered(row: Row) -> None:
    """A report has tests that exist, of which one cites it, or it is out of scope."""
    assert row.tests or row.out_of_scope
    for file, name in row.tests:
        assert name in docstrings(file), f"{file} has no {name}"
    if row.number[0] not in CITED:
        return
    said = " ".join(docstrings(file)[name] for file, name in row.tests)
    assert row.reports
    for report in row.reports:
        assert report in said or (row.out_of_scope and report in OUT_OF_SCOPE), f"nothing cites {report}"


@pytest.mark.parametrize("row", [row for row in rows() if row.out_of_scope], ids=lambda row: row.number)
def test_each_report_out_of_scope_has_its_reason(row: Row) -> None:
    """docs/out-of-scope.md names each report out of scope, or the row's number if it has no report."""
    for report in row.reports or (row.number,):
        assert report in OUT_OF_SCOPE
