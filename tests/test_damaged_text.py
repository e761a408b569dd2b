"""JSON that is not UTF-8 is treated as damaged, whichever release of msgspec reads it.

Until 0.22, msgspec raised a UnicodeDecodeError for it, which is not one of its own; both are ValueErrors.
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
    """Yield the lines that catch only msgspec's own errors, and miss UnicodeDecodeError."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ExceptHandler) and node.type is not None:
            for each in ast.walk(node.type):
                ours = isinstance(each, ast.Attribute) and ast.unparse(each.value) == "msgspec"
                if ours and isinstance(each, ast.Attribute) and each.attr in TOO_NARROW:
                    yield node.lineno


@pytest.mark.parametrize("name", ["MsgspecError", "DecodeError"])
def test_the_rule_finds_its_kind(name: str) -> None:
    """The rule finds each of msgspec's errors, alone and in a tuple, and ignores a ValueError."""
    assert [*caught_too_narrowly(f"try:\n f()\nexcept msgspec.{name}:\n pass")] == [3]
    assert [*caught_too_narrowly(f"try:\n f()\nexcept (OSError, msgspec.{name}) as e:\n pass")] == [3]
    assert not [*caught_too_narrowly("try:\n f()\nexcept (ValueError, msgspec.ValidationError):\n pass")]


def test_no_damaged_text_is_let_through() -> None:
    """No place where lpad reads JSON from the disk, a peer or a caller breaks the rule."""
    found = [
        f"{path.relative_to(SOURCES)}:{line}"
        for path in SOURCES.rglob("*.py")
        for line in caught_too_narrowly(path.read_text(encoding="utf-8"))
    ]
    assert not found
