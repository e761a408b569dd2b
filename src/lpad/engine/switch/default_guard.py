"""The default guard: which switches get it without a request, and why other switches do not."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import msgspec

from lpad.base.deadline import Deadline
from lpad.base.errors import CardError, Conflict
from lpad.codec.messages.metadata import PPR1, UNREADABLE_RULES
from lpad.engine.change.change import RESCUE
from lpad.engine.change.params import GuardParams
from lpad.engine.snapshot.profile import UnreadableProfile
from lpad.engine.switch.guarded_switch import guarded_switch
from lpad.engine.switch.registration_query import saw_registration
from lpad.engine.switch.unguarded_switch import unguarded_switch
from lpad.engine.switch.verified_switch import PLAIN

if TYPE_CHECKING:
    from lpad.engine.change.results import SwitchResult
    from lpad.engine.running.operation_context import Context
    from lpad.engine.running.run import Run
    from lpad.engine.switch.verified_switch import Purpose

log = logging.getLogger(__name__)


def enable_guarded(
    run: Run,
    context: Context,
    asked: GuardParams | None,
    *,
    iccid: str,
    without: bool,
    purpose: Purpose = PLAIN,
) -> SwitchResult:
    """Enable a profile under the requested guard, or else under the default guard if it applies.

    Raises:
        NetworkFailed, NotFound, Conflict, CardError: nothing was switched.
        SwitchRolledBack, SwitchStuck, Cancelled, Suspended: as in `guarded_switch`.
    """
    if asked is not None:
        return guarded_switch(run, context, asked, iccid=iccid)
    if run.change.guard is not None:  # the switch has begun under the default guard
        until = tuple(each.condition for each in run.change.guard.requirements)
        return guarded_switch(run, context, GuardParams(until=until), iccid=iccid, by_default=True)
    default = context.card.port.policy.default_guard
    if default is None or without or run.change.origin == RESCUE:
        return unguarded_switch(run, context, iccid=iccid, purpose=purpose)
    why = _why_not(context, iccid)
    if why is None:
        try:
            return guarded_switch(run, context, default, iccid=iccid, by_default=True)
        except Conflict as error:
            if run.change.guard is not None:
                raise
            # Nothing was sent to the card, and an unrequested guard must not block the switch.
            why = error.sentence
    log.info("change %d: no default guard: %s", run.change.id, why)
    done = unguarded_switch(run, context, iccid=iccid, purpose=purpose)
    return done if done.already else msgspec.structs.replace(done, unguarded=why)


def _why_not(context: Context, iccid: str) -> str | None:
    """Return why the default guard does not apply; None if it applies."""
    listed = context.snapshot().listed
    target, enabled = listed.named(iccid), listed.enabled
    if enabled is None or enabled is target:
        return "no other profile was enabled to go back to"
    if listed.contested or listed.enabled_address is None:
        return "lpad does not know which profile a rollback would enable"
    if target is None or (isinstance(target, UnreadableProfile) and not target.whole):
        return "the profile's entry in the card's list cannot be read in full"
    if PPR1 in target.policy_rules or UNREADABLE_RULES in target.policy_rules:
        return "the profile's operator forbids disabling it (ppr1), or may do so"
    return _why_not_watched(context)


def _why_not_watched(context: Context) -> str | None:
    deadline = Deadline.after(context.timeouts.open)
    try:
        told = context.card.ask_modem(
            lambda lent: None if lent is None else lent.modem.registrations(deadline=deadline),
            deadline=deadline,
        )
    except CardError as error:
        return f"the modem could not be asked for its registration: {error.sentence}"
    if told is None:
        return "the card is in a reader"
    if not told:
        return "the modem does not report its registration"
    saw_registration(context, told)
    if not any(each.registered for each in told):
        return "the modem was not registered before the switch"
    return None
