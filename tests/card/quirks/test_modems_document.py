"""The document of known modems matches the files."""

from __future__ import annotations

from pathlib import Path

from lpad.card.quirks.modems_document import modems_document

PAGE = Path(__file__).parents[3] / "docs" / "modems.md"


def test_the_page_is_fresh() -> None:
    """docs/modems.md matches the quirks, so that users can look up a modem before they buy it (lpac#64)."""
    assert PAGE.read_text(encoding="utf-8") == modems_document(), (
        "write it again: python -m lpad.card.quirks.modems_document > docs/modems.md"
    )
