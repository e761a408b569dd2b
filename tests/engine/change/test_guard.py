"""The guard: kept only if every condition was seen met."""

from __future__ import annotations

import pytest

from lpad.base.errors import InternalError
from lpad.engine.change.change import now
from lpad.engine.change.guard import Guard, Phase, Requirement, Turn


def _guard(*conditions: str) -> Guard:
    requirements = tuple(Requirement(condition=each) for each in conditions)
    return Guard(requirements=requirements, until=now(), previous=None, phase=Phase.WATCHING)


def test_a_guard_is_kept_once_all_was_met() -> None:
    """Met is met permanently; what is seen later changes the words alone."""
    guard = _guard("registered", "confirm").saw("registered", met=True, seen="home")
    guard = guard.saw("registered", met=False, seen="the port is gone").saw("confirm", met=True, seen="yes")
    assert guard.met
    assert guard.after(Turn.MET).phase is Phase.KEPT


def test_a_guard_with_anything_unmet_is_not_kept() -> None:
    """The table alone does not decide which request leads to a phase."""
    guard = _guard("registered", "confirm").saw("confirm", met=True, seen="yes")
    assert not guard.met
    with pytest.raises(InternalError, match="registered: not seen yet"):
        guard.after(Turn.MET)


def test_a_guard_without_conditions_is_never_met() -> None:
    """One that lost them, in a damaged journal, protects nothing."""
    with pytest.raises(InternalError, match="no condition"):
        _guard().after(Turn.MET)
