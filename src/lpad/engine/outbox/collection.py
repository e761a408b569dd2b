"""The card's side of the outbox: copies are made, and what may go is taken off the card."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from lpad.engine.outbox.news import tell
from lpad.errors import CardMalformed, CardRefused, InvalidValue
from lpad.lpa import notification_delivery
from lpad.lpa.notification_delivery import PendingNotification

if TYPE_CHECKING:
    from lpad.deadline import Deadline
    from lpad.engine.events import Hub
    from lpad.engine.journal import Journal, StoredNotification
    from lpad.identifiers import Iccid
    from lpad.lpa.euicc import Euicc

log = logging.getLogger(__name__)


class Collection:
    """Brings a card's list of notifications and the journal's copies together."""

    def __init__(self, journal: Journal, hub: Hub) -> None:
        self._journal = journal
        self._hub = hub

    def collect(self, euicc: Euicc, eid: str, *, deadline: Deadline) -> int:
        """Copy a card's new notifications into the journal, and take off the card what may go.

        One that the card lists and then doesn't give, or doesn't let go of, holds up no other.

        Args:
            euicc: an open ISD-R.
            eid: the EID that this card gave in this session.
            deadline: when to give up.

        Returns:
            How many were new.

        Raises:
            CardError: the card can't be read; copies made so far are kept.
            JournalUnavailable: there is no place for copies, and nothing leaves the card.
        """
        known = {stored.seq: stored for stored in self._journal.notifications.all(eid=eid)}
        new = 0
        for entry in euicc.list_notification(deadline=deadline):
            stored = known.pop(entry.sequence_number, None)
            try:
                if stored is None or not _same(stored, entry.iccid, entry.address):
                    new += self._copy(euicc, eid, entry.sequence_number, deadline=deadline)
                elif stored.removable:
                    self.remove(euicc, stored, deadline=deadline)
            except (CardRefused, CardMalformed) as error:
                log.warning("notification %d: %s (%s)", entry.sequence_number, error, error.kind)
        for stored in known.values():
            # Gone from the card by another hand. What was not delivered still goes out.
            if stored.removable:
                self._journal.notifications.drop(stored.id)
        return new

    def keep(self, eid: str, notification: PendingNotification) -> bool:
        """Copy a notification into the journal, such as an installation's result; True when it is new."""
        return self._journal.notifications.keep(
            eid=eid,
            seq=notification.sequence_number,
            event=notification.event,
            address=_tidy(notification),
            iccid=str(notification.iccid) if notification.iccid else None,
            raw=notification.payload,
            at=time.time(),
        )

    def take_off(self, euicc: Euicc, eid: str, *, deadline: Deadline) -> None:
        """Take off the card what may go, right after `collect` has seen it there.

        Raises:
            CardError: the card refuses or can't be reached; it is done another time.
        """
        for stored in self._journal.notifications.all(eid=eid):
            if stored.removable:
                self.remove(euicc, stored, deadline=deadline)

    def remove(self, euicc: Euicc, stored: StoredNotification, *, deadline: Deadline) -> None:
        """Take one off the card, and forget it.

        Raises:
            CardError: the card refuses or can't be reached.
        """
        self._journal.notifications.mark_removing(stored.id)
        notification_delivery.remove(euicc, stored.seq, deadline=deadline)
        self._journal.notifications.drop(stored.id)
        tell(self._hub, "removed", stored)

    def _copy(self, euicc: Euicc, eid: str, seq: int, *, deadline: Deadline) -> int:
        copies = notification_delivery.retrieve(euicc, sequence_number=seq, deadline=deadline)
        return sum(self.keep(eid, pending) for pending in copies)


def _tidy(pending: PendingNotification) -> str:
    """Return the recipient's address in one spelling, so that its queue is one queue."""
    try:
        return str(pending.recipient)
    except InvalidValue:
        return pending.address


def _same(stored: StoredNotification, iccid: Iccid | None, address: str) -> bool:
    """Whether the card's entry is the one that was copied; a card made anew counts from the start."""
    return stored.iccid == (str(iccid) if iccid else None) and stored.address in (
        address,
        _tidy(PendingNotification(stored.seq, stored.event, address, None, b"")),
    )
