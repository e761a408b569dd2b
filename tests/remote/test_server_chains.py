"""docs/security.md lists lpad's verdict on each chain, and the tests confirm it."""

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
    """The table has a row for each case, in order, and no other rows."""
    assert list(TABLE) == list(CASES)
    assert len(TABLE) >= 40


@pytest.mark.parametrize("name", CASES)
def test_each_chain_gets_the_tables_verdict(name: str, world: World, tmp_path: Path) -> None:
    """A real server with the chain gets the table's verdict, and no request."""
    assert answer(name, world, tmp_path) == TABLE[name], "run python -m remote.chain_table in tests/"
