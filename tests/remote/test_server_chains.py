"""docs/security.md lists lpad's verdict on each chain, and the tests confirm it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from remote.chain_table import BEGIN, DOCUMENT, END, HEADINGS, answer
from remote.server_chains import CASES, World

if TYPE_CHECKING:
    from pathlib import Path

TABLE = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]


@pytest.fixture(scope="module")
def world() -> World:
    return World()


def test_the_table_holds_all_cases() -> None:
    """The table has a row for each case, in order, and no other rows."""
    rows = TABLE.removeprefix(HEADINGS).splitlines()
    assert [re.split(r" ?\| ?", row)[1] for row in rows] == list(CASES)
    assert len(rows) >= 40


@pytest.mark.parametrize("name", CASES)
def test_answer(name: str, world: World, tmp_path: Path) -> None:
    """A real server with the chain gets the table's verdict, and no request."""
    assert answer(name, world, tmp_path) in TABLE, "run python -m remote.chain_table in tests/"
