"""Each error class declares the types of its details."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING, get_type_hints

import pytest

import lpad
from lpad.base.errors import details_by_kind, every_error

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(lpad.__file__).parent
CLASSES = {each.__name__: each for each in every_error() if each.__module__ == "lpad.base.errors"}


def raised() -> Iterator[tuple[str, str, str]]:
    """Yield the place, the class and the name of each detail that the package gives an error."""
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CLASSES:
                for keyword in node.keywords:
                    if keyword.arg is not None and keyword.arg != "retryable":
                        place = f"{path.relative_to(PACKAGE)}:{node.lineno}"
                        yield place, node.func.id, keyword.arg


def test_errors_are_given_no_other_details_than_their_class_has() -> None:
    """Every detail that the package gives an error is in the details type of the error's class."""
    found = list(raised())
    assert len(found) > 60
    unknown = [
        each for each in found if each[2] not in get_type_hints(CLASSES[each[1]])["details"].__annotations__
    ]
    assert unknown == []


@pytest.mark.parametrize("kind", sorted(details_by_kind()))
def test_classes_of_one_kind_have_the_same_details(kind: str) -> None:
    """The kind in the API and the journal determines the type of an error's details."""
    of_kind = [get_type_hints(each)["details"] for each in every_error() if each.kind == kind]
    assert set(of_kind) == {details_by_kind()[kind]}
