"""Probing a card for a bug report; the result is the report, even if the card cannot be reached."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.base.deadline import Deadline
from lpad.card.probe import probe as probe_link
from lpad.engine.change.params import ProbeParams

if TYPE_CHECKING:
    from lpad.card.probe import ShownReport
    from lpad.engine.running.operation_context import Context
    from lpad.engine.running.run import Run


def probe(run: Run, context: Context) -> ShownReport:
    """Reopen the port, test the card with read-only commands, and return the report."""
    card = context.card
    deadline = Deadline.after(context.timeouts.open + context.timeouts.read)
    run.step("probe")
    card.drop()
    report = probe_link(
        lambda: card.open(deadline=deadline),
        port=card.port.transport,
        aids=card.port.aids,
        block_size=card.port.block_size,
        deadline=deadline,
    )
    if report.error is not None:
        card.drop()
    return report.shown(unredacted=run.change.params_of(ProbeParams).unredacted)
