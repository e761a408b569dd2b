"""The hooks that report a downloaded profile to the owner's programs, once for each profile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.engine.change.notes import DownloadNotes, noting
from lpad.engine.switch.applier_and_hook_steps import NetworkSteps
from lpad.engine.switch.network_step_reporting import StepsOfRun
from lpad.network.owner_hooks import HookEvent

if TYPE_CHECKING:
    from lpad.engine.running.operation_context import Context
    from lpad.engine.running.run import Run


def announce_downloaded(run: Run, context: Context, iccid: str) -> None:
    """Run the hooks after a download, once for each installed profile; a failure is logged.

    Raises:
        Suspended: lpad is stopping; it repeats these steps at its next start.
    """
    steps = NetworkSteps(StepsOfRun(run), context, iccid)
    if not steps.has_hooks or run.notes_of(DownloadNotes).announced:
        return
    steps.happened(HookEvent.DOWNLOADED, iccid)
    steps.check_ended()
    run.note(noting(DownloadNotes, announced=True), needed=False)
