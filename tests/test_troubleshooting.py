"""docs/troubleshooting.md has exactly the existing kinds of errors."""

from __future__ import annotations

import re
from pathlib import Path

from lpad.base.errors import every_error

PAGE = (Path(__file__).parents[1] / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
OF_THE_CLIENT = {"daemon-unreachable"}


def test_every_kind_has_a_symptom() -> None:
    """The last column of the page's tables names exactly the kinds of errors of lpad and its client."""
    told = {
        kind
        for line in PAGE.splitlines()
        if line.startswith("| ")
        for kind in re.findall(r"`([a-z-]+)`", line.rsplit("|", 2)[1])
    }
    assert (
        told == {each.kind for each in every_error() if each.__module__ == "lpad.base.errors"} | OF_THE_CLIENT
    )
