"""hil/conformance.md names, for each of 76 ideas from SGP.23, a case of the bench or why there is none."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "hil" / "conformance.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`([\w/]+\.py)::(\w+)`", TEXT)))
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")] for line in re.findall(r"\|  ?\d+ \|.*\|", TEXT)
]


@pytest.mark.parametrize(("path", "name"), NAMED, ids=[f"{path}::{name}" for path, name in NAMED])
def test_a_named_test_exists(path: str, name: str) -> None:
    """Each case that hil/conformance.md names exists."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_nothing_is_left_open() -> None:
    """hil/conformance.md has 76 ideas: over 50 with a case, each other one with the reason."""
    assert [int(row[0]) for row in ROWS] == list(range(1, 77))
    assert all(row[2] or row[4] for row in ROWS)
    assert sum(bool(row[2]) for row in ROWS) > 50


def test_every_case_is_named() -> None:
    """hil/conformance.md names each case in the files that follow SGP.23, except for two named here."""
    for file in ("test_conformance.py", "test_server_mistakes.py"):
        tree = ast.parse((ROOT / "hil" / "cases" / file).read_text(encoding="utf-8"))
        cases = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        missing = {
            name for name in cases if name.startswith("test_") and f"hil/cases/{file}::{name}`" not in TEXT
        }
        assert missing <= {"test_the_next_download_works", "test_a_server_that_does_not_listen"}
