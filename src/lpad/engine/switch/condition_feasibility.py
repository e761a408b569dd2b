"""Checks, before a switch begins, whether lpad can evaluate the conditions of its guard."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.base.errors import Conflict
from lpad.base.guard_condition import ConditionKind
from lpad.engine.running.condition_check import NOT_EVALUATED, SOURCES, Source, not_evaluable

if TYPE_CHECKING:
    from lpad.base.deadline import Deadline
    from lpad.base.guard_condition import Condition
    from lpad.card.modem.modem_lent_by_link import LentModem
    from lpad.engine.running.operation_context import Context

_BLIND = frozenset({"none", "command"})
"""Appliers that report neither bearer nor address."""


def check_possible(context: Context, conditions: tuple[Condition, ...], *, deadline: Deadline) -> None:
    """Check that the conditions can be evaluated, before anything is sent to the card.

    Raises:
        Conflict: registration is required, but no modem reports it; or lpad cannot evaluate a condition.
        CardError: the port has disappeared, or the modem does not answer.
    """
    for each in not_evaluable(conditions):
        raise Conflict(f"cannot guard the switch by '{each}': {NOT_EVALUATED}; use another condition")
    blind = [each for each in conditions if SOURCES[each.kind] is Source.CONNECTION]
    applier = context.card.port.network.applier.name
    if blind and applier in _BLIND:
        raise Conflict(
            f"cannot guard the switch by '{blind[0]}': the applier '{applier}' cannot observe the connection;"
            " choose another network.applier, or guard the switch by a reachability check"
        )
    if not any(each.kind is ConditionKind.REGISTERED for each in conditions):
        return
    instead = "use a reachability check or 'confirm' as the condition instead"

    def ask(lent: LentModem | None) -> None:
        if lent is None:
            raise Conflict(
                "cannot guard the switch by registration: the card is in a reader, so lpad has no modem to"
                f" ask; {instead}"
            )
        if not lent.modem.registrations(deadline=deadline):
            raise Conflict(f"cannot guard the switch by registration: {lent.modem.unreported}; {instead}")

    context.card.ask_modem(ask, deadline=deadline)
