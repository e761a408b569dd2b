"""The completion of a change that was cut off after the card had carried it out: work outside of the card."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lpad.engine.change.notes import ProfileNotes
from lpad.engine.change.params import DownloadParams
from lpad.engine.change.results import DeleteResult, DownloadResult, ResetResult
from lpad.engine.operations.deleted_profile_cleanup import forget_deleted
from lpad.engine.operations.profile_downloaded_hook import announce_downloaded
from lpad.engine.recovery.reconcile import left_disabled
from lpad.engine.switch.verified_switch import see_through

if TYPE_CHECKING:
    from lpad.engine.change.results import Result
    from lpad.engine.running.operation_context import Context
    from lpad.engine.running.run import Run


def finish(run: Run, context: Context, result: Result) -> Result:
    """Do a change's remaining work outside of the card, and return its result; may be repeated.

    Args:
        run: the interrupted change.
        context: its context.
        result: its result, by the card's state.

    Raises:
        CardError: the modem still reads another profile after all steps, or its port is gone; or a download
            was to enable its profile, which is not enabled.
        Suspended: lpad is stopping; its next start continues.
    """
    match result:
        case DeleteResult():
            notes = run.notes_of(ProfileNotes)
            remark = forget_deleted(run, context, () if notes.iccid is None else (notes.iccid,))
            return msgspec.structs.replace(result, remark=remark)
        case ResetResult():
            seen = see_through(run, context, result)
            remark = forget_deleted(run, context, result.deleted)
            return seen if remark is None else msgspec.structs.replace(seen, remark=remark)
        case DownloadResult():
            announce_downloaded(run, context, result.iccid)
            if (error := left_disabled(run.change, result, run.notes)) is not None:
                raise error
            if not run.change.params_of(DownloadParams).enable:
                return result
    return see_through(run, context, result)
