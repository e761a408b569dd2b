"""Every kind of problem is documented with its status, and no two errors share a kind."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import lpad.base.errors
from lpad.api.request.problem import NEVER, problem_response, problems, status_of
from lpad.base.errors import LpadError, MalformedError, TooManyChanges

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCUMENT = Path(__file__).parents[3] / "docs" / "api.md"


def classes() -> Iterator[type[LpadError]]:
    for each in vars(lpad.base.errors).values():
        if isinstance(each, type) and issubclass(each, LpadError) and each not in (LpadError, MalformedError):
            yield each


def test_every_kind_is_documented() -> None:
    """The table in docs/api.md lists every kind of error with its status."""
    text = DOCUMENT.read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z-]+)` \| ([0-9, ]*)\| (.+) \| (.+) \|$", text, re.MULTILINE)
    told = {kind: [int(each) for each in status.split(",") if each.strip()] for kind, status, *_ in rows}
    assert told.keys() == {each.kind for each in classes()}
    for each in classes():
        statuses = told[each.kind]
        if each in NEVER:
            assert statuses == []
        else:
            assert statuses[0] == status_of(each), each.kind
            assert each.kind in problems(status_of(each))


def test_kinds_are_unique() -> None:
    """No two errors share a kind."""
    kinds = [each.kind for each in classes()]
    assert len(kinds) == len(set(kinds))


def test_a_full_queue_states_when_to_come_back() -> None:
    """If a card's queue is full, the answer 429 has a Retry-After header."""
    response = problem_response(TooManyChanges("100 changes are queued"))
    assert (response.status_code, response.headers["retry-after"]) == (429, "10")
