"""The notifications of an installation: copied and delivered either before or after the download is done."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lpad.base.deadline import Deadline
from lpad.base.errors import CardError, CardUnreachable, LpadError
from lpad.engine.change.change import Kind
from lpad.engine.change.params import DownloadParams
from lpad.engine.switch.verified_switch import copies_later
from lpad.lpa.notification_delivery import PendingNotification

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lpad.engine.running.operation_context import Context
    from lpad.engine.running.run import Run
    from lpad.lpa.download import Installed
    from lpad.lpa.euicc import Euicc
    from lpad.remote.es9plus import Es9Plus

log = logging.getLogger(__name__)


def is_told_first(run: Run, context: Context) -> bool:
    """Return whether the change is done before the installation's notifications are copied and delivered.

    A change that must wait for a platform, a guard, an applier or a hook delivers the notifications first,
    over the network through which the profile came. A change on a borrowed port, or on a port with two
    eUICCs, also delivers them first, because its session cannot stay open.
    """
    asked = run.change.params_of(DownloadParams)
    default = context.card.port.policy.default_guard is not None and not asked.unguarded
    guarded = asked.guard is not None or (default and context.snapshot().listed.enabled is not None)
    return (
        run.change.kind is Kind.DOWNLOAD
        and not (asked.enable and guarded)
        and context.card.may_keep_session(applying=asked.enable)
        and copies_later(run, context)
    )


def leave(run: Run, context: Context, euicc: Euicc, installed: Installed, *, eid: str) -> str:
    """Remember the installation's result and read the profiles; the worker's next due task copies the result.

    Return the card's EID.
    """
    within = Deadline.after(context.timeouts.read)
    context.outbox.remember_result(euicc, _result(installed))
    with _passing_over(context, euicc, eid):
        eid = context.observe(euicc, within, eid=installed.eid, copies_later=True).eid or ""
        context.outbox.remember_beyond(euicc, eid)
        if run.change.params_of(DownloadParams).enable:
            context.card.end_session()  # the switch queries the modem, which may not read the card meanwhile
        else:
            context.card.keep_session(euicc, eid, applying=False)
    return eid


def deliver(
    run: Run, context: Context, euicc: Euicc, installed: Installed, server: Es9Plus, *, eid: str
) -> int:
    """Copy the notifications, deliver them over the open connection, and return the number of delivered ones.

    Delivered notifications are removed from the card. After a failure, the outbox delivers all others.
    """
    delivered = 0
    # The caller may have taken long to answer, so the download's own deadline may have passed.
    within = Deadline.after(context.timeouts.read)
    context.outbox.remember_result(euicc, _result(installed))
    with _passing_over(context, euicc, eid):
        eid = context.observe(euicc, within, eid=installed.eid).eid or ""
        delivered = context.outbox.deliver(
            eid=eid, connection=(installed.server, server), interruption=run.interruption
        ).delivered
        if delivered and not context.outbox.take_off(euicc, eid, deadline=within):
            context.outbox.tidy(eid)
    return delivered


def _result(installed: Installed) -> PendingNotification:
    """Return the installation's result as a notification, which lpad then need not read from the card."""
    return PendingNotification(
        sequence_number=installed.sequence_number,
        event="install",
        address=installed.notification_address,
        iccid=installed.iccid,
        payload=installed.result,
    )


@contextmanager
def _passing_over(context: Context, euicc: Euicc, eid: str) -> Iterator[None]:
    """Prevent a failure with a notification from hiding that the profile is installed."""
    try:
        try:
            yield
        except CardError as error:
            if isinstance(error, CardUnreachable):
                context.card.drop()
            context.outbox.tidy(eid)  # otherwise, lpad might not copy notifications for weeks
            context.outbox.keep_remembered(euicc, eid)
    except LpadError as error:  # the journal cannot be written; the card keeps the notification meanwhile
        log.warning("the notification stays on the card: %s (%s)", error, error.kind)
