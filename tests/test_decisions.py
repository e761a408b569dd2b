"""The table of decisions and the files next to it agree."""

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
    """Numbers begin at 1 without gaps; each row names one file, in the order of numbers."""
    assert [int(row[1]) for row in ROWS] == list(range(1, len(ROWS) + 1))
    assert [row[3] for row in ROWS] == [path.name for path in FILES]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[3])
def test_a_file_states_what_its_row_says(row: re.Match[str]) -> None:
    """Number, title, date and successor are the same in table and file."""
    number, title, name, date, state = row.groups()
    heading, _, dated, *_ = (FOLDER / name).read_text("utf-8").splitlines()
    assert name.startswith(f"{int(number):03}-")
    assert heading == f"# {number}. {title}"
    later = re.fullmatch(rf"{date}(?: \(replaced by \[(\d+)\]\((.+)\)\))?", dated)
    assert later is not None
    assert (f"replaced by {later[1]}" if later[1] else "in force") == state
    assert later[2] is None or (FOLDER / later[2]).exists()
