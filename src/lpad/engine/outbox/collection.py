"""The card's side of the outbox: copies are made, and what may go is taken off the card."""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lpad.base.errors import CardMalformed, CardRefused, InvalidValue
from lpad.engine.outbox.events import tell
from lpad.lpa import notification_delivery
from lpad.lpa.notification_delivery import PendingNotification

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lpad.base.deadline import Deadline
    from lpad.base.identifiers import Iccid
    from lpad.engine.change.event_hub import Hub
    from lpad.engine.journal import Journal, StoredNotification
    from lpad.lpa.euicc import Euicc

log = logging.getLogger(__name__)

MOST_OF_A_CARD = 500
"""Copies of one card's notifications at a time. Cards hold some dozens; what else one lists stays on it,
and is not lost, until some of these have gone: a card that makes up ever more must not fill the disk."""
MOST_OF_ALL = 2000
"""The same for all cards: one may call itself another each time."""
LARGEST = 32 * 1024
"""Bytes of one. Real ones have some kilobytes, certificates included."""


class Collection:
    """Brings a card's list of notifications and the journal's copies together."""

    def __init__(self, journal: Journal, hub: Hub) -> None:
        self._journal = journal
        self._hub = hub

    def collect(self, euicc: Euicc, eid: str, *, deadline: Deadline) -> int:
        """Copy a card's new notifications into the journal, and take off the card what may go.

        One that the card lists and then doesn't give, or doesn't let go of, holds up no other. Where there
        are many copies already, the rest stays on the card for another time.

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
        waiting = []
        for entry in euicc.list_notification(deadline=deadline):
            stored = known.pop(entry.sequence_number, None)
            if stored is None or not _same(stored, entry.iccid, entry.address):
                waiting.append(entry.sequence_number)
            elif stored.removable:
                with self._passing_over(entry.sequence_number):
                    self.remove(euicc, stored, deadline=deadline)
        for stored in known.values():
            # Gone from the card by another hand. What was not delivered still goes out.
            if stored.removable:
                self._journal.notifications.drop(stored.id)
        return self._copy_all(euicc, eid, waiting, deadline=deadline)

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

    def _copy_all(self, euicc: Euicc, eid: str, waiting: list[int], *, deadline: Deadline) -> int:
        """Copy what there is place for, in the card's order; return how many were new."""
        new = 0
        kept = self._journal.notifications
        for position, seq in enumerate(waiting):
            if kept.count(eid=eid) >= MOST_OF_A_CARD or kept.count() >= MOST_OF_ALL:
                left = len(waiting) - position
                log.warning("%d notifications stay on the card: there is no place for more copies", left)
                break
            with self._passing_over(seq):
                new += self._copy(euicc, eid, seq, deadline=deadline)
        return new

    def _copy(self, euicc: Euicc, eid: str, seq: int, *, deadline: Deadline) -> int:
        copies = notification_delivery.retrieve(euicc, sequence_number=seq, deadline=deadline)
        longest = max((len(each.payload) for each in copies), default=0)
        if longest > LARGEST:
            raise CardMalformed(f"it has {longest} bytes, as no notification has, and stays on the card")
        return sum(self.keep(eid, pending) for pending in copies)

    @contextmanager
    def _passing_over(self, seq: int) -> Iterator[None]:
        """Let one that the card doesn't give, or doesn't let go of, hold up no other."""
        try:
            yield
        except (CardRefused, CardMalformed) as error:
            log.warning("notification %d: %s (%s)", seq, error, error.kind)


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
