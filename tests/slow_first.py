"""The order of tests in a parallel run: every process starts with its share of the slow files."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

TESTS = Path(__file__).parent

SLOW = (
    "debian_daemons",
    "faults/cut_trials",
    "hil",
    "mqtt",
    "journeys",
    "engine/unattended",
    "engine/worker",
    "engine/switch",
    "engine/operations",
    "engine",
    "cli",
    "daemon",
    "card/modem",
)
"""Folders whose tests wait or start processes, the slowest first."""


def slow_first(items: list[pytest.Item], processes: int) -> list[pytest.Item]:
    """Deal the slow files to the processes in turn, and fill the shares with the other tests.

    pytest-xdist gives each process a contiguous share of the items (worksteal), and an idle process the end
    of the longest share. At the end of a run only quick tests are left, and no process waits for a slow one.
    """
    files = [(path, list(group)) for path, group in itertools.groupby(items, lambda item: item.path)]
    slow = sorted((each for each in files if _rank(each[0]) < len(SLOW)), key=lambda each: _rank(each[0]))
    quick = [item for path, group in files if _rank(path) == len(SLOW) for item in group]
    shares: list[list[pytest.Item]] = [[] for _ in range(processes)]
    for number, (_, group) in enumerate(slow):
        shares[number % processes] += group
    ordered: list[pytest.Item] = []
    left = len(items)
    for number, share in enumerate(shares):
        size = left // (processes - number)
        missing = max(0, size - len(share))
        ordered += share + quick[:missing]
        del quick[:missing]
        left -= size
    return ordered + quick


def _rank(path: Path) -> int:
    return next(
        (number for number, folder in enumerate(SLOW) if path.is_relative_to(TESTS / folder)), len(SLOW)
    )
