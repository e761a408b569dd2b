"""docs/security.md names a test for each attack."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")


def test_every_attack_has_a_test_that_is_there() -> None:
    """Each row in the table of attacks names a test, and the named tests exist."""
    table = TEXT.partition("<!-- table of attacks: begin -->")[2].partition("<!-- table of attacks: end -->")[
        0
    ]
    rows = [line for line in table.strip().splitlines() if line.startswith("| ")][1:]
    assert len(rows) >= 25
    for row in rows:
        named = re.findall(r"`(tests/[a-z0-9_/]+\.py)(?:::(\w+))?`", row)
        assert named, row
        for path, test in named:
            content = (ROOT / path).read_text(encoding="utf-8")
            assert not test or f"def {test}(" in content, f"{path} has no {test}"
