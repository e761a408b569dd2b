"""Notifications on their way from the card to the operator's server (SGP.22 v2.5, 3.5 and 5.6.4).

Delivery has three steps, with journal entries in between: `retrieve` copies a notification from the card,
`deliver` posts it, `remove` removes it from the card. lpad removes a notification from the card only after
the server has accepted it, or a user has dropped it.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, ClassVar

from lpad.base.errors import InvalidValue
from lpad.base.frozen import Frozen
from lpad.base.server_address import ServerAddress

if TYPE_CHECKING:
    from lpad.base.deadline import Deadline
    from lpad.base.identifiers import Iccid
    from lpad.lpa.euicc import Euicc
    from lpad.remote.es9plus import Es9Plus

_LOG = logging.getLogger(__name__)


class PendingNotification(Frozen):
    """One notification as the card signed it."""

    HIDDEN: ClassVar[frozenset[str]] = frozenset({"payload"})
    sequence_number: int
    """The notification's number, which is unique on the card; 0 is a valid number."""
    event: str
    """`install`, `enable`, `disable` or `delete`; `unknown` for events of later versions."""
    address: str
    """The recipient's address as the card gives it, with unchanged spaces and case."""
    iccid: Iccid | None
    payload: bytes
    """The unchanged bytes for the server: BF37 or 30."""

    @property
    def recipient(self) -> ServerAddress:
        """The normalized address.

        Raises:
            InvalidValue: the text is not an address; the notification remains on the card until a user
                removes it.
        """
        try:
            return ServerAddress.parse(self.address)
        except InvalidValue as error:
            raise InvalidValue(
                f"cannot deliver notification {self.sequence_number}: its recipient is not a server address;"
                " remove the notification once the operator no longer needs it"
            ) from error


def retrieve(
    euicc: Euicc, *, sequence_number: int | None = None, deadline: Deadline
) -> tuple[PendingNotification, ...]:
    """Copy pending notifications from the card, in ascending order of their numbers.

    Returns:
        The notifications; empty for a number that the card no longer has.

    Raises:
        CardError: the card failed or refused.
    """
    found = euicc.retrieve_notifications_list(sequence_number=sequence_number, deadline=deadline)
    copies = [
        PendingNotification(
            sequence_number=pending.metadata.sequence_number,
            event=pending.metadata.event.value,
            address=pending.metadata.address,
            iccid=pending.metadata.iccid,
            payload=pending.raw,
        )
        for pending in found
        # Some cards ignore the search criterion and return all notifications.
        if sequence_number is None or pending.metadata.sequence_number == sequence_number
    ]
    return tuple(sorted(copies, key=lambda copy: copy.sequence_number))


def deliver(notification: PendingNotification, server: Es9Plus, *, deadline: Deadline) -> None:
    """Post a notification to its recipient; when the function returns, the server has accepted it.

    Raises:
        ServerError: the server did not accept the notification; keep it and try again later.
    """
    server.handle_notification(pending_notification=notification.payload, deadline=deadline)
    _LOG.debug("notification %d accepted by %s", notification.sequence_number, server.address)


def remove(euicc: Euicc, sequence_number: int, *, deadline: Deadline) -> None:
    """Remove a delivered notification from the card; one that was already removed is not an error.

    Raises:
        CardError: the card failed or refused.
    """
    if not euicc.remove_notification_from_list(sequence_number, deadline=deadline):
        _LOG.info("notification %d had already been removed from the card", sequence_number)
