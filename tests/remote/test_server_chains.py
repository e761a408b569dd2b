"""The table in docs/security.md of lpad's verdicts on certificate chains is right."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from remote.chain_table import answer, expected
from remote.server_chains import CASES, World

if TYPE_CHECKING:
    from pathlib import Path

TABLE = expected()


@pytest.fixture(scope="module")
def world() -> World:
    return World()


def test_the_table_has_all_cases() -> None:
    """The table of chains has exactly one row for each case, in order."""
    assert list(TABLE) == list(CASES)
    assert len(TABLE) >= 40


@pytest.mark.parametrize("name", CASES)
def test_each_chain_gets_the_tables_verdict(name: str, world: World, tmp_path: Path) -> None:
    """Lpad's verdict on a server that shows the chain is the one in the table."""
    assert answer(name, world, tmp_path) == TABLE[name], "run python -m remote.chain_table in tests/"
