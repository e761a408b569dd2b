"""Restarting the modem at a user's request, and waiting until its card can be read again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.base.deadline import Deadline
from lpad.base.errors import CardError, Conflict
from lpad.card.modem_refresh import Refresh
from lpad.engine.change.results import RestartModemResult
from lpad.engine.switch.verified_switch import holding_of

if TYPE_CHECKING:
    from lpad.card.modem_refresh import Holding
    from lpad.engine.running.operation_context import Context
    from lpad.engine.running.run import Run


def restart_modem(run: Run, context: Context) -> RestartModemResult:
    """Take the last step of the modem's ladder, usually a reset, even if the card cannot be read.

    Raises:
        Conflict: there is no modem, or its ladder in the settings has no step that restarts it.
        CardError: the port has disappeared, the modem does not answer, or the card cannot be read afterwards.
    """

    def look(within: Deadline) -> Holding | None:
        with context.card.session(deadline=within) as euicc:
            return holding_of(context.observe(euicc, within, whole=True).listed)

    refresh = Refresh(
        context.card, tell=run.follow, resets=context.modem_resets, reading=context.timeouts.read
    )
    run.step("ask-modem")
    held = holding_of(context.snapshot().listed)
    refresh.prepare(held, deadline=Deadline.after(context.timeouts.open))
    if not refresh.can_restart:
        raise Conflict(
            "cannot restart the modem: the card is in a reader, or the setting 'refresh_ladder' has no step"
            " that restarts the modem; take the card out and put it in again, or change the setting"
        )
    run.irreversible("restart-modem")
    context.modem_resets.ordered()
    outcome = refresh.restart(look)
    if outcome.holding is None:
        error = outcome.error
        why = "the card's answers cannot be read" if error is None else error.sentence
        raise CardError(
            f"the modem was restarted, but its card cannot be read: {why}",
            retryable=True,
            **({} if error is None else error.details),
        )
    return RestartModemResult(remark=outcome.remark)
