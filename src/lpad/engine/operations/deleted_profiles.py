"""Deleted profiles: what lpad, the applier and the owner's programs keep of them goes with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.engine.switch.network_steps import deleted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lpad.engine.running.operation_context import Context
    from lpad.engine.running.run import Run


def forget_deleted(run: Run, context: Context, iccids: Iterable[str]) -> None:
    """Have everything outside of the card forget profiles; a failure is logged.

    A repetition does no harm.

    Raises:
        Suspended: lpad is stopping; its next start continues.
    """
    for iccid in iccids:
        deleted(run, context, iccid)
        context.lines.forget(iccid)
