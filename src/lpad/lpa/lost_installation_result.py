"""A ProfileInstallationResult that only the card's list of notifications contains.

The card's answer to the last segment, which should contain the result, was lost.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from lpad.base.errors import CardError, MalformedError
from lpad.codec.messages.installation_result import ProfileInstallationResult

if TYPE_CHECKING:
    from lpad.base.deadline import Deadline
    from lpad.base.identifiers import TransactionId
    from lpad.lpa.euicc import Euicc

_LOG = logging.getLogger(__name__)


def find_lost_result(
    euicc: Euicc, transaction_id: TransactionId, *, deadline: Deadline
) -> ProfileInstallationResult | None:
    """Return a session's result from the card's notifications.

    None means that the result is missing, or that the card cannot be asked.

    The card writes its result before it answers, and a reset or a modem may lose the answer. Then the profile
    may be installed although the session seems cancellable (SGP.22 v2.5, 5.7.10).
    """
    try:
        pending = euicc.retrieve_notifications_list(deadline=deadline)
    except CardError as error:
        _LOG.info("cannot read the card's notifications: %s", error)
        return None
    for each in reversed(pending):
        try:
            result = ProfileInstallationResult.decode(each.raw)
        except MalformedError:
            continue  # the notification is of a different kind
        if result.transaction_id == transaction_id:
            return result
    return None
