"""Delay a card or a server, so that a test can act meanwhile."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING
from unittest.mock import patch

from engine.lab import CARD, LONG
from lpad.engine.change.change import Kind, State
from lpad.engine.operations.operations import OPERATIONS
from lpad.engine.snapshot.snapshot import CardState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.lab import Lab
    from lpad.engine.change.change import Change, Json
    from lpad.engine.running.operation_context import Context
    from lpad.engine.running.run import Run
    from lpad.simulator.smdp.functions.faults import ActiveFaults
    from lpad.simulator.smdp.functions.function_table import HttpAnswer


@contextmanager
def held(lab: Lab) -> Iterator[None]:
    """Occupy the card with a change that ends only when the context is left."""
    begun, go_on = threading.Event(), threading.Event()
    probe = OPERATIONS[Kind.PROBE]

    def hold(_run: Run, _context: Context) -> dict[str, Json]:
        begun.set()
        assert go_on.wait(LONG)
        return {}

    table = OPERATIONS
    assert isinstance(table, dict)
    table[Kind.PROBE] = hold
    try:
        lab.until(lambda: lab.engine.snapshot(CARD), lambda seen: seen.state is CardState.READY)
        holding = lab.submit(Kind.PROBE)
        assert begun.wait(LONG)
        yield
    finally:
        go_on.set()
        table[Kind.PROBE] = probe
    lab.ended(holding.id)


@contextmanager
def silent(lab: Lab, function: str, *, times: int = 1) -> Iterator[threading.Semaphore]:
    """Hold back the server's answers to a function in the context; yield a semaphore that counts them."""
    asked, end = threading.Semaphore(0), threading.Event()
    carry_out = lab.server.carry_out
    left = iter(range(times))

    def hold(name: str, body: bytes, faults: ActiveFaults) -> HttpAnswer:
        answer = carry_out(name, body, faults)
        if name == function and next(left, None) is not None:
            asked.release()
            end.wait(2 * LONG)
        return answer

    with patch.object(lab.server, "carry_out", hold):
        yield asked
    end.set()


def begun(lab: Lab, change: Change) -> Change:
    """Return a change as soon as it runs."""
    return lab.until(lambda: lab.engine.change(change.id), lambda seen: seen.state is not State.QUEUED)
