"""Each place that reads JSON also handles text that is not UTF-8, in every release of msgspec.

Until release 0.22, msgspec raises a UnicodeDecodeError for such text, which is not a MsgspecError.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCES = Path(__file__).parents[1] / "src" / "lpad"
TOO_NARROW = {"MsgspecError", "DecodeError"}


def caught_too_narrowly(source: str) -> Iterator[int]:
    """Yield the numbers of the lines that catch msgspec's own errors in place of ValueError."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ExceptHandler) and node.type is not None:
            for each in ast.walk(node.type):
                ours = isinstance(each, ast.Attribute) and ast.unparse(each.value) == "msgspec"
                if ours and isinstance(each, ast.Attribute) and each.attr in TOO_NARROW:
                    yield node.lineno


@pytest.mark.parametrize("name", ["MsgspecError", "DecodeError"])
def test_the_rule_finds_its_kind(name: str) -> None:
    """The rule finds MsgspecError and DecodeError, alone and in a tuple, and accepts ValueError."""
    assert [*caught_too_narrowly(f"try:\n f()\nexcept msgspec.{name}:\n pass")] == [3]
    assert [*caught_too_narrowly(f"try:\n f()\nexcept (OSError, msgspec.{name}) as e:\n pass")] == [3]
    assert not [*caught_too_narrowly("try:\n f()\nexcept (ValueError, msgspec.ValidationError):\n pass")]


def test_no_damaged_text_is_let_through() -> None:
    """No `except` in lpad catches only msgspec's MsgspecError or DecodeError."""
    found = [
        f"{path.relative_to(SOURCES)}:{line}"
        for path in SOURCES.rglob("*.py")
        for line in caught_too_narrowly(path.read_text(encoding="utf-8"))
    ]
    assert not found
