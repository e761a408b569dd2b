"""The plan of faults of the simulated SM-DP+."""

from __future__ import annotations

import pytest

from lpad.base.errors import InvalidValue
from lpad.simulator.smdp.functions.faults import Fault, FaultKind, FaultPlan


def test_faults_wait_for_their_function() -> None:
    """A fault with a function waits for a request of that function; one without waits for any."""
    plan = FaultPlan((Fault(kind=FaultKind.DROP_BEFORE, function="cancelSession"),))
    plan.add(Fault(kind=FaultKind.DELAY, value=0.5))
    assert FaultKind.DROP_BEFORE not in plan.take("handleNotification")
    assert FaultKind.DROP_BEFORE in plan.take("cancelSession")
    assert plan.pending == ()


def test_counted_faults_come_one_after_the_other() -> None:
    """A counted fault affects its number of requests, and only then does the next one begin."""
    plan = FaultPlan(
        (
            Fault(kind=FaultKind.HTTP_STATUS, value=503, times=2),
            Fault(kind=FaultKind.REFUSE, value="8.2/1.2"),
        )
    )
    kinds = [[fault.kind for fault in plan.take("x").faults] for _ in range(4)]
    assert kinds == [[FaultKind.HTTP_STATUS], [FaultKind.HTTP_STATUS], [FaultKind.REFUSE], []]


def test_lasting_faults_come_with_every_request() -> None:
    """A fault with 0 times affects every request, next to a counted one, until the plan is cleared."""
    plan = FaultPlan((Fault(kind=FaultKind.BASE64_NEWLINES, times=0),))
    plan.add(Fault(kind=FaultKind.STATUS, value="ExecutedSuccess"))
    assert len(plan.take("x").faults) == 2
    assert [fault.kind for fault in plan.take("x").faults] == [FaultKind.BASE64_NEWLINES]
    plan.clear()
    assert plan.take("x").faults == ()


def test_faults_are_read_from_json() -> None:
    """A plan is read from a JSON list of faults."""
    plan = FaultPlan.from_json('[{"function": "getBoundProfilePackage", "kind": "bpp-bit-flip", "value": 3}]')
    assert plan.pending == (Fault(kind=FaultKind.BPP_BIT_FLIP, function="getBoundProfilePackage", value=3),)


@pytest.mark.parametrize(
    "text", ["", "{}", '[{"kind": "gremlins"}]', '[{"kind": "delay", "when": 1}]', "[{}]"]
)
def test_other_json_is_refused(text: str) -> None:
    """Text that is not such a list, or has an unknown kind or field, is refused."""
    with pytest.raises(InvalidValue, match="list of faults"):
        FaultPlan.from_json(text)
