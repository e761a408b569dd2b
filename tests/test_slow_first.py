"""In a parallel run, each process starts with slow files, and no test is lost."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from slow_first import TESTS, slow_first

SLOW = {f"journeys/test_{name}.py": 3 for name in "abcdefghijklmn"}
QUICK = {f"codec/test_{name}.py": 100 for name in "opqr"}


@pytest.mark.parametrize("processes", [2, 3, 7])
def test_each_process_starts_with_its_share_of_the_slow_files(processes: int) -> None:
    """Each share of pytest-xdist starts with whole slow files, and every test is in one share."""
    items: list[Any] = [
        SimpleNamespace(path=TESTS / name, number=number)
        for name, tests in {**QUICK, **SLOW}.items()
        for number in range(tests)
    ]
    ordered: list[Any] = [*slow_first(items, processes)]
    assert sorted(map(id, ordered)) == sorted(map(id, items))
    for process in range(processes, 0, -1):
        share, ordered = ordered[: len(ordered) // process], ordered[len(ordered) // process :]
        numbers = [item.number for item in share if item.path.relative_to(TESTS).as_posix() in SLOW]
        assert numbers == [0, 1, 2] * (len(SLOW) // processes + (processes - process < len(SLOW) % processes))
        assert share[: len(numbers)] == [item for item in share if item.path.parent.name == "journeys"]
