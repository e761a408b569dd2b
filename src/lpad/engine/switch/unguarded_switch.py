"""A switch without a guard: lpad enables the profile, and tries to bring its network settings into force."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from lpad.engine.switch.applier_and_hook_steps import NetworkSteps
from lpad.engine.switch.network_step_reporting import StepsOfRun
from lpad.engine.switch.registration_query import look_at_registration
from lpad.engine.switch.verified_switch import switch

if TYPE_CHECKING:
    from lpad.engine.change.results import SwitchResult
    from lpad.engine.running.operation_context import Context
    from lpad.engine.running.run import Run
    from lpad.engine.switch.verified_switch import Purpose


def unguarded_switch(run: Run, context: Context, *, iccid: str, purpose: Purpose) -> SwitchResult:
    """Enable a profile without a guard, and bring its network settings into force.

    The change is done when card and modem agree and the network settings were tried; the state of higher
    layers is only reported.

    Args:
        iccid: the profile's ICCID or AID.

    Raises:
        NetworkFailed: an applier or a hook failed before the card was asked.
        NotFound, Conflict, CardError: as in `switch`.
    """
    steps = NetworkSteps(StepsOfRun(run), context, iccid)
    profile = context.snapshot().listed.named(iccid)
    if steps.active and not (profile is not None and profile.enabled):
        steps.prepare()
    done = switch(run, context, iccid=iccid, enabled=True, purpose=purpose)
    if steps.active:
        if done.already:
            steps.renew()
        else:
            steps.apply()
            steps.connect()
        steps.look()
        steps.end()
    registration = None if done.already else look_at_registration(context, steps.connection)
    return replace(done, network=steps.told(), registration=registration)
