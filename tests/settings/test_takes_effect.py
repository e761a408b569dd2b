"""When each setting takes effect: immediately, or after a restart."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lpad.settings import EuiccSection, Settings
from lpad.settings.takes_effect import WHEN, changed, restart_needed

OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"


def test_the_table_is_complete() -> None:
    """WHEN has an entry for each top-level key of the settings."""
    assert set(WHEN) == set(Settings.__struct_fields__)


@pytest.mark.parametrize("key", WHEN)
def test_the_documentation_has_the_table(key: str) -> None:
    """docs/operations.md states for each top-level key the same as WHEN."""
    row = re.search(rf"^\| `{key}` \| (\w+)", OPERATIONS.read_text(encoding="utf-8"), re.MULTILINE)
    assert row is not None
    assert row[1] == WHEN[key].value


def test_differences_are_named_by_their_keys() -> None:
    """Changed settings are named by their full keys, and a new card is one difference."""
    one = Settings(euiccs={"a": EuiccSection(port="x", baud=9600)}, answer_within=5, socket="s")
    other = Settings(euiccs={"a": EuiccSection(port="x"), "b": EuiccSection(port="y")}, socket="t")
    assert changed(one, other) == ("euiccs.a.baud", "euiccs.b", "socket", "answer_within")
    assert restart_needed(one, other) == ("socket",)
    assert changed(one, one) == ()
