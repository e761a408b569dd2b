"""The guard: a switch is kept only after every condition was seen to be met."""

from __future__ import annotations

import pytest

from lpad.base.errors import InternalError
from lpad.engine.change.change import now
from lpad.engine.change.guard import Guard, Phase, Requirement, Turn


def _guard(*conditions: str) -> Guard:
    requirements = tuple(Requirement(condition=each) for each in conditions)
    return Guard(requirements=requirements, until=now(), previous=None, phase=Phase.WATCHING)


def test_a_guard_is_kept_once_all_was_met() -> None:
    """A met condition stays met; later observations change only its words."""
    guard = _guard("registered", "confirm").saw("registered", met=True, seen="home")
    guard = guard.saw("registered", met=False, seen="the port is gone").saw("confirm", met=True, seen="yes")
    assert guard.met
    assert guard.after(Turn.MET).phase is Phase.KEPT


def test_a_guard_with_anything_unmet_is_not_kept() -> None:
    """A guard with an unmet condition is not kept, whatever kind of condition that is."""
    guard = _guard("registered", "confirm").saw("confirm", met=True, seen="yes")
    assert not guard.met
    with pytest.raises(InternalError, match="registered: not seen yet"):
        guard.after(Turn.MET)


def test_a_guard_without_conditions_is_never_met() -> None:
    """A guard that lost its conditions in a damaged journal is never met."""
    with pytest.raises(InternalError, match="no condition"):
        _guard().after(Turn.MET)
