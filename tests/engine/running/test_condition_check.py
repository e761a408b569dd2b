"""A check of a condition: every kind has its source, and an unevaluated condition is not met."""

from __future__ import annotations

from typing import cast

import pytest

from engine.guarding import listening, unused_port
from lpad.base.deadline import Deadline
from lpad.base.guard_condition import Condition, ConditionKind
from lpad.engine.running.condition_check import SOURCES, Look, Source, ask_network, look, not_evaluable
from lpad.remote.reachability import REACHABILITY_CHECKS

UNKNOWN = Condition(kind=cast("ConditionKind", "ping"), text="ping:example.com")


def _sees(condition: Condition, _deadline: Deadline) -> Look:
    return Look(met=True, seen=str(condition))


EYES = dict.fromkeys(Source, _sees)


def test_every_kind_has_a_source() -> None:
    """Each kind of condition has a source; the network is the source of exactly the reachability checks."""
    assert set(SOURCES) == set(ConditionKind)
    assert {kind for kind in SOURCES if SOURCES[kind] is Source.NETWORK} == set(REACHABILITY_CHECKS)


def test_a_known_kind_is_asked_of_its_source() -> None:
    """A known kind is evaluated by its own source only."""
    condition = Condition.parse("registered")
    assert look(condition, {Source.MODEM: _sees}, deadline=Deadline.after(1)).met is True
    assert (
        look(condition, {Source.NETWORK: _sees, Source.CALLER: _sees}, deadline=Deadline.after(1)).met is None
    )


def test_an_unknown_kind_is_not_evaluated() -> None:
    """With every set of sources, a condition of an unknown kind is not evaluated."""
    found = look(UNKNOWN, EYES, deadline=Deadline.after(1))
    assert found.met is None
    assert "cannot evaluate" in found.seen
    known = Condition.parse("confirm")
    assert not_evaluable([known, UNKNOWN]) == (UNKNOWN,)


@pytest.mark.parametrize("reached", [True, False])
def test_the_network_is_asked_by_a_reachability_check(*, reached: bool) -> None:
    """A reachability check describes its observation in words, whether the condition is met or not."""
    with listening() as port:
        text = f"tcp:127.0.0.1:{port if reached else unused_port()}"
        found = ask_network(Condition.parse(text), Deadline.after(10))
    assert found.met is reached
    assert found.seen
