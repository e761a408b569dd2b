"""The limit for hints: one query a minute at each platform, on a clock that does not jump."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from lpad.engine.provisioning.platform_query_limit import EVERY, HintLimit

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Return a function that moves the monotonic clock; the wall clock jumps back an hour at each reading."""
    moment, wall = [1000.0], [4e9]

    def read_wall() -> float:
        wall[0] -= 3600.0
        return wall[0]

    monkeypatch.setattr(time, "monotonic", lambda: moment[0])
    monkeypatch.setattr(time, "time", read_wall)

    def passes(seconds: float) -> None:
        moment[0] += seconds

    return passes


def test_hints_lead_to_one_query_a_minute(passes: Callable[[float], None]) -> None:
    """A platform's first hint leads to a query now; further hints lead to queries at least a minute apart."""
    limit = HintLimit()
    assert limit.take("a", 0.0) == 0.0
    assert limit.take("b", 0.0) == 0.0
    passes(10)
    assert limit.take("a", 0.0) == EVERY - 10
    assert limit.take("a", 0.0) == 2 * EVERY - 10
    passes(3 * EVERY)
    assert limit.take("a", 0.0) == 0.0


def test_a_planned_look_counts(passes: Callable[[float], None]) -> None:
    """After a query, a hint waits for the rest of the minute, unless the next query is due by then."""
    limit = HintLimit()
    limit.looked("a")
    passes(20)
    assert limit.take("a", 0.0, EVERY - 20) is None
    assert limit.take("a", 0.0, EVERY) == EVERY - 20
    limit.looked("a")
    assert limit.take("a", 0.0, 3600.0) == 2 * EVERY - 20


def test_a_platform_may_ask_for_longer(passes: Callable[[float], None]) -> None:
    """The platform's own pause between two queries applies if it is longer than a minute."""
    limit = HintLimit()
    limit.looked("a")
    passes(EVERY)
    assert limit.take("a", 300.0) == 300.0 - EVERY
    assert limit.take("b", 300.0) == 0.0
