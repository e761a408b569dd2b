"""The bench measures enables without a guard, because a guard waits for a network."""

from __future__ import annotations

import ast
from pathlib import Path

BENCH = Path(__file__).parents[2] / "bench"


def test_each_enable_is_measured_without_a_guard() -> None:
    """Each call of the client's `enable` passes `guard=None`, so that no default guard applies."""
    calls = [
        each
        for path in BENCH.glob("*.py")
        for each in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute) and each.func.attr == "enable"
    ]
    guards = [
        {word.arg: word.value.value for word in each.keywords if isinstance(word.value, ast.Constant)}
        for each in calls
    ]
    assert guards
    assert all(found.get("guard", "default") is None for found in guards)
