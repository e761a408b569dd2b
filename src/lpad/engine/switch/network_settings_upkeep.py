"""Network settings between switches: settled after a power cut, restored after a loan, and checked."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from lpad.base.deadline import Deadline
from lpad.engine.change.change import now
from lpad.engine.network_settings.deleted_profile_leftovers import UnforgottenProfile
from lpad.engine.switch.applier_and_hook_steps import NetworkSteps
from lpad.engine.switch.network_step_reporting import StepsAfterCut
from lpad.engine.switch.registration_query import look_at_registration
from lpad.network.applier_interface import Connection
from lpad.network.no_applier import NO_APPLIER

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lpad.base.cancellation import Cancellation
    from lpad.engine.running.operation_context import Context

log = logging.getLogger(__name__)

_LOOK = 5.0
"""Seconds for a query after a report: a program that does not answer must not delay the next change."""


def look_at_connection(
    context: Context, ending: Cancellation, *, until: Deadline | None = None
) -> Connection:
    """Return the enabled profile's connection as the applier sees it, outside of any change.

    Args:
        context: the card, and the way to the modem.
        ending: ends the wait when lpad stops.
        until: a limit in addition to that of each step; None: no further limit.
    """
    enabled = context.snapshot().listed.enabled
    if enabled is None or enabled.iccid is None:
        return Connection()
    return NetworkSteps(StepsAfterCut(0, ending), context, enabled.iccid, until=until).look()


def look_after_report(context: Context, ending: Cancellation) -> None:
    """Query the connection once after a report that it may have changed, and report its layers.

    Args:
        context: the card, and the way to the modem.
        ending: ends the wait when lpad stops.
    """
    until = Deadline.after(_LOOK)
    look_at_registration(context, look_at_connection(context, ending, until=until), settled=True)


def settle_pending(context: Context, ending: Cancellation) -> None:
    """Settle the network settings after a power cut or a failed switch, by the card's present state.

    The enabled profile gets its settings; preparations for another profile are undone first. If lpad
    stops meanwhile, it settles the remaining steps after its next start.

    Args:
        context: the card, and the way to the modem.
        ending: ends the wait when lpad stops.
    """
    euicc = context.card.port.name
    pending = context.pending.of(euicc)
    card = context.snapshot()
    if pending is None:
        return
    steps = StepsAfterCut(pending.change, ending)
    enabled = card.listed.enabled
    if card.eid == pending.eid and enabled is not None and enabled.iccid is not None:
        now = NetworkSteps(steps, context, enabled.iccid)
        undone = enabled.iccid != pending.iccid
        if undone:
            now.undo()
        if not (undone and now.restores):
            now.apply()
        now.connect()
    if ending.cancelled:
        return
    log.info("%s: the network settings of change %d are settled", euicc, pending.change)
    context.pending.end(euicc)


def note_deleted(context: Context, iccids: Iterable[str]) -> None:
    """Record that profiles are no longer on the card, so that the applier forgets them.

    Args:
        context: has the applier, and the profiles to forget.
        iccids: the ICCIDs of profiles that lpad or another program has deleted.
    """
    port = context.card.port
    if port.network.applier is NO_APPLIER:
        return
    for iccid in iccids:
        gone = UnforgottenProfile(
            iccid=iccid,
            applier=port.network.applier.name,
            since=now(),
            told="the profile was deleted, and the applier was not asked yet",
        )
        context.unforgotten.failed(port.name, gone)


def forget_again(context: Context, ending: Cancellation) -> None:
    """Have the applier forget the deleted profiles that it still knows.

    The applier keeps a profile that the card contains again. lpad does not ask an applier that the settings
    no longer select.

    Args:
        context: has the profiles.
        ending: ends the wait when lpad stops.
    """
    euicc, kept = context.card.port.name, context.unforgotten
    for each in kept.of(euicc):
        back = context.snapshot().listed.named(each.iccid) is not None
        if back or each.applier != context.card.port.network.applier.name:
            kept.forgotten(euicc, each.iccid)
        elif not ending.cancelled:
            NetworkSteps(StepsAfterCut(0, ending), context, each.iccid).forget(each.iccid)
    kept.tried(euicc)


def return_modem(context: Context, ending: Cancellation) -> None:
    """Return an idle modem to ModemManager, and restore the connection that the loan ended.

    Args:
        context: the card, and the way to the modem.
        ending: ends the wait for the connection when lpad stops.
    """
    was_lent = context.card.port.loan.was_lent
    context.card.give_back()
    enabled = context.snapshot().listed.enabled
    if was_lent and enabled is not None and enabled.iccid is not None:
        NetworkSteps(StepsAfterCut(0, ending), context, enabled.iccid).connect_again()
