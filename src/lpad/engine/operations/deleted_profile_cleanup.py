"""The cleanup after deleted profiles: lpad and the applier delete the profiles' data; lpad runs the hooks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.engine.switch.applier_and_hook_steps import NetworkSteps
from lpad.engine.switch.network_step_reporting import StepsOfRun
from lpad.network.owner_hooks import HookEvent

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lpad.engine.running.operation_context import Context
    from lpad.engine.running.run import Run


def forget_deleted(run: Run, context: Context, iccids: Iterable[str]) -> str | None:
    """Delete lpad's and the applier's data on deleted profiles, and run the hooks; log a failure.

    A repetition does no harm.

    Returns:
        A remark for the result if the applier has failed; None if it has not.

    Raises:
        Suspended: lpad is stopping; its next start continues.
    """
    remark = None
    for iccid in iccids:
        steps = NetworkSteps(StepsOfRun(run), context, iccid)
        failed = steps.forget(iccid)
        steps.happened(HookEvent.DELETED, iccid)
        steps.check_ended()
        context.unforgotten.tried(context.card.port.name)
        if failed is not None:
            remark = f"network settings outside of lpad are still to be removed: {failed}; lpad tries again"
        context.lines.forget(iccid)
    return remark
