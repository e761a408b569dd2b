"""A thread informs servers of abandoned sessions, and exists only while a server is to be informed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.holding import silent
from engine.lab import CARD, FIRST, LONG, Lab
from lpad.base.backoff import Backoff
from lpad.engine.change.change import Kind, State
from lpad.engine.outbox import owed_cancellations
from lpad.engine.outbox.owed_cancellations import TRIES
from lpad.simulator.smdp.functions.faults import Fault, FaultKind

if TYPE_CHECKING:
    from lpad.simulator.smdp.store.order import Order


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owed_cancellations, "BACKOFF", Backoff((0.1,)))


def given_up(lab: Lab) -> Order:
    """Cancel a download while its server does not answer; return its order."""
    order = lab.order()
    with silent(lab, "authenticateClient") as asked:
        change = lab.submit(Kind.DOWNLOAD, secrets={"activation_code": lab.code(order)})
        assert asked.acquire(timeout=LONG)
        lab.engine.cancel(change.id)
        assert lab.ended(change.id).state is State.CANCELLED
    return order


def told(lab: Lab) -> int:
    return lab.server.counters.requests["cancelSession"]


def none_owed(lab: Lab) -> None:
    lab.until_true(lambda: not lab.engine._owed.alive)
    assert lab.engine._owed._known() == []


def test_attempts_are_repeated_until_the_server_answers(lab: Lab) -> None:
    """Failed attempts are repeated until the server knows that the order is free again."""
    lab.server.faults.add(Fault(function="cancelSession", kind=FaultKind.DROP_BEFORE, times=2))
    order = given_up(lab)
    lab.until_true(lambda: lab.server.orders.get(order.id).reason == "postponed")
    none_owed(lab)
    assert told(lab) == 3


def test_no_attempt_without_end(lab: Lab) -> None:
    """After the last failed attempt, lpad no longer tries to inform the server."""
    lab.server.faults.add(Fault(function="cancelSession", kind=FaultKind.DROP_BEFORE, times=99))
    given_up(lab)
    lab.until_true(lambda: told(lab) == TRIES)
    none_owed(lab)


def test_owed_cancellations_survive_a_restart(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cancellation that was not delivered before lpad ended is sent after the next start."""
    monkeypatch.setattr(owed_cancellations, "BACKOFF", Backoff((3600.0,)))
    lab.server.faults.add(Fault(function="cancelSession", kind=FaultKind.DROP_BEFORE, times=1))
    order = given_up(lab)
    lab.until_true(lambda: told(lab) == 1)
    lab.stop()
    lab.start()
    lab.carry_out(Kind.REFRESH)
    lab.until_true(lambda: lab.server.orders.get(order.id).reason == "postponed")


def test_the_next_session_first_ends_the_previous_one(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """An order can be downloaded again immediately: lpad first ends its previous session at the server."""
    monkeypatch.setattr(owed_cancellations, "BACKOFF", Backoff((3600.0,)))
    lab.server.faults.add(Fault(function="cancelSession", kind=FaultKind.DROP_BEFORE, times=1))
    order = given_up(lab)
    lab.until_true(lambda: told(lab) == 1)
    change = lab.carry_out(Kind.DOWNLOAD, secrets={"activation_code": lab.code(order)})
    assert change.state is State.DONE, change.error
    assert told(lab) == 2
    assert lab.engine.snapshot(CARD).listed.find(FIRST) is not None
    none_owed(lab)
