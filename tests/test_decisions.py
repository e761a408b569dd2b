"""The table of docs/decisions/README.md agrees with the files of the decisions."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "docs" / "decisions"
FILES = sorted(FOLDER.glob("[0-9]*.md"))
ROW = re.compile(r"^\| (\d+) \| \[(.+)\]\((.+)\) \| (\d{4}-\d\d-\d\d) \| (in force|replaced by \d+) \|$")
ROWS = [
    found for line in (FOLDER / "README.md").read_text("utf-8").splitlines() if (found := ROW.match(line))
]


def test_each_file_has_a_row() -> None:
    """Each file of a decision has a row in the table, whose numbers begin at 1 and have no gaps."""
    assert [int(row[1]) for row in ROWS] == list(range(1, len(ROWS) + 1))
    assert [row[3] for row in ROWS] == [path.name for path in FILES]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[3])
def test_a_file_states_what_its_row_says(row: re.Match[str]) -> None:
    """A decision's file has the number, title, date and successor of its row."""
    number, title, name, date, state = row.groups()
    heading, _, dated, *_ = (FOLDER / name).read_text("utf-8").splitlines()
    assert name.startswith(f"{int(number):03}-")
    assert heading == f"# {number}. {title}"
    later = re.fullmatch(rf"{date}(?: \(replaced by \[(\d+)\]\((.+)\)\))?", dated)
    assert later is not None
    assert (f"replaced by {later[1]}" if later[1] else "in force") == state
    assert later[2] is None or (FOLDER / later[2]).exists()
