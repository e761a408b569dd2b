"""docs/reliability.md: each promise names a test, and the named tests exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", TEXT)))


@pytest.mark.parametrize(("path", "name"), NAMED, ids=[f"{path}::{name}" for path, name in NAMED])
def test_a_named_test_exists(path: str, name: str) -> None:
    """Each test that docs/reliability.md names exists."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_promise_names_a_test() -> None:
    """Each row in a table of promises names a test."""
    rows = []
    shown = False
    for line in TEXT.splitlines():
        if line.startswith("|") and "shown by" in line:
            shown = True
        elif not line.startswith("|"):
            shown = False
        elif shown and not line.startswith("|---"):
            rows.append(line)
    assert len(rows) > 30
    assert [row for row in rows if "::" not in row] == []
