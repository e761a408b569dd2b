"""The simulated stage: each case of the bench runs at one of its places."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from hil.simulated.stage import FEATURES, READERS

CASES = sorted((Path(__file__).parents[2] / "hil" / "cases").glob("test_*.py"))
OF_ALL = {"network", "test-ci", "power", "codes", "server"}
"""The features that every place of the stage has, declared or derived."""


def needs(function: ast.FunctionDef, module: ast.Module) -> set[str]:
    """Return the features that a case needs, from its own markers and those of its module."""
    marks = [mark for each in module.body if isinstance(each, ast.Assign) for mark in ast.walk(each.value)]
    marks += [mark for each in function.decorator_list for mark in ast.walk(each)]
    return {
        str(word.value)
        for mark in marks
        if isinstance(mark, ast.Call) and isinstance(mark.func, ast.Attribute) and mark.func.attr == "needs"
        for word in mark.args
        if isinstance(word, ast.Constant)
    }


@pytest.mark.parametrize("path", CASES, ids=[each.stem for each in CASES])
def test_each_case_runs_somewhere(path: Path) -> None:
    """For each case, a place of the simulated stage has the features that the case needs."""
    places = [OF_ALL | set(FEATURES[name]) | {"reader" if name in READERS else "modem"} for name in FEATURES]
    # These are the places of test_safety.test_a_first_bench_file_for_a_control_port.
    places += [OF_ALL | {kind, "modem"} for kind in ("mbim", "qmi")]
    module = ast.parse(path.read_text(encoding="utf-8"))
    cases = [
        each for each in module.body if isinstance(each, ast.FunctionDef) and each.name.startswith("test_")
    ]
    assert cases
    nowhere = [each.name for each in cases if not any(needs(each, module) <= place for place in places)]
    assert nowhere == []
