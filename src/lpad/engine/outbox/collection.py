"""The card's side of the outbox: copies are made, and what may go is taken off the card."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lpad.base.errors import (
    CardBusy,
    CardError,
    CardMalformed,
    CardUnreachable,
    InternalError,
    InvalidValue,
    JournalUnavailable,
    LpadError,
    MalformedError,
    internal_error,
)
from lpad.engine.outbox.events import tell, tell_dropped
from lpad.engine.outbox.listed_copies import ListedCopies, tidy_address, under_number
from lpad.engine.outbox.uncopied import UncopiedNotification, UncopiedNotifications
from lpad.lpa import notification_delivery

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lpad.base.deadline import Deadline
    from lpad.codec.messages.notifications import NotificationMetadata
    from lpad.engine.change.event_hub import Hub
    from lpad.engine.journal import Journal, StoredNotification
    from lpad.lpa.euicc import Euicc
    from lpad.lpa.notification_delivery import PendingNotification

log = logging.getLogger(__name__)

MOST_OF_A_CARD = 500
"""Copies of one card's notifications at a time. Cards hold some dozens; what else one lists stays on it,
and is not lost, until some of these have gone: a card that makes up ever more must not fill the disk."""
MOST_OF_ALL = 2000
"""The same for all cards: one may call itself another each time."""
LARGEST = 32 * 1024
"""Bytes of one. Real ones have some kilobytes, certificates included."""
PATIENCE = 30.0
"""Seconds for one notification, or for the list: whoever waits behind wants something else of the card."""
LIVELY = 10.0
"""Seconds in which a card that gave no answer about a notification has to give its EID."""

_NO_ROOM = InternalError("there is no room for more copies; lpad copies it once others have been delivered")


class Collection:
    """Brings a card's list of notifications and the journal's copies together."""

    def __init__(self, journal: Journal, hub: Hub) -> None:
        self._journal = journal
        self._hub = hub
        self.uncopied = UncopiedNotifications(journal.clock)
        """What cards list and nobody could copy."""

    def collect(self, euicc: Euicc, eid: str, *, deadline: Deadline) -> int:
        """Copy a card's new notifications into the journal, and take off the card what may go.

        Whatever is wrong with one of them, or with the list, holds up nothing else: what can't be copied
        stays on the card and is in `uncopied`. If there are many copies already, the rest stays there, too.

        Args:
            euicc: an open ISD-R.
            eid: the EID that this card gave in this session.
            deadline: when to give up.

        Returns:
            How many were new.

        Raises:
            CardError: the card can't be reached any more; copies made so far are kept.
            JournalUnavailable: there is no place for copies, and nothing leaves the card.
        """
        listed = self._list(euicc, eid, deadline=deadline)
        if listed is None:
            return 0
        found = ListedCopies(self._journal.notifications.all(eid=eid))
        waiting = []
        for entry in listed:
            seq = entry.sequence_number
            with self._passing_over(euicc, eid, seq, shown=entry, deadline=deadline):
                if found.copy_of(entry) is None:
                    waiting.append(entry)
        for stored in found.removable():
            seq = stored.seq
            if not self.uncopied.is_resting(eid, seq):
                with self._passing_over(euicc, eid, seq, deadline=deadline):
                    if self._remove_if_same(euicc, stored, deadline=deadline.within(PATIENCE)):
                        found.left(stored)
        for stored in found.gone():
            # By another hand, unless it can't be read now. What was not delivered still goes out.
            if stored.removable and not self.uncopied.unreadable(eid):
                self._journal.notifications.drop(stored.id)
        new, left = self._copy_all(euicc, eid, waiting, deadline=deadline)
        self.uncopied.keep_only(eid, left, listed={entry.sequence_number for entry in listed})
        return new

    def keep(self, eid: str, notification: PendingNotification) -> bool:
        """Copy a notification into the journal, such as an installation's result; True when it is new."""
        return self._journal.notifications.keep(
            eid=eid,
            seq=notification.sequence_number,
            event=notification.event,
            address=tidy_address(notification),
            iccid=str(notification.iccid) if notification.iccid else None,
            raw=notification.payload,
            at=self._journal.clock.now().steady,
        )

    def take_off(self, euicc: Euicc, eid: str, *, deadline: Deadline) -> bool:
        """Take off the card what may go, right after `collect` has seen it there.

        Returns:
            Whether all of it went.

        Raises:
            CardError: the card can't be reached any more.
        """
        gone = True
        for stored in self._journal.notifications.all(eid=eid):
            if stored.removable and not stored.displaced:
                left = True
                with self._passing_over(euicc, eid, stored.seq, resting=False, deadline=deadline):
                    left = not self._remove_if_same(euicc, stored, deadline=deadline.within(PATIENCE))
                gone = gone and not left
        return gone

    def remove(self, euicc: Euicc, stored: StoredNotification, *, deadline: Deadline) -> None:
        """Take one off the card, and forget it.

        Raises:
            CardError: the card refuses or can't be reached.
        """
        if not stored.displaced:  # under its number the card would take off another one
            self._journal.notifications.mark_removing(stored.id)
            notification_delivery.remove(euicc, stored.seq, deadline=deadline)
        self._journal.notifications.drop(stored.id)
        tell(self._hub, "removed", stored)

    def _remove_if_same(self, euicc: Euicc, stored: StoredNotification, *, deadline: Deadline) -> bool:
        """Take off the card what its server has accepted; another one under its number is copied instead.

        Returns:
            Whether it was taken off.

        Raises:
            CardError: the card refuses or can't be reached.
        """
        found, told_apart = under_number(euicc, stored, deadline=deadline)
        copies = {told_apart(each.raw): each for each in self._journal.notifications.all(eid=stored.eid)}
        left = True
        for each in found:
            copy = copies.get(told_apart(each.payload))
            if copy is None:
                self.keep(stored.eid, each)
            left = left and copy is not None and copy.removable
        if left:
            self.remove(euicc, stored, deadline=deadline)
        return left

    def remove_uncopied(
        self, euicc: Euicc, eid: str, uncopied: UncopiedNotification, *, deadline: Deadline
    ) -> None:
        """Take one off the card of which there is no copy: nobody will ever get it.

        Raises:
            CardError: the card refuses or can't be reached.
        """
        notification_delivery.remove(euicc, uncopied.seq, deadline=deadline)
        self.uncopied.forget(eid, uncopied.seq)
        tell_dropped(self._hub, eid, uncopied)

    def _list(self, euicc: Euicc, eid: str, *, deadline: Deadline) -> tuple[NotificationMetadata, ...] | None:
        """Return what the card lists; None where it gives no list that can be read, or gave none just now."""
        if self.uncopied.is_resting(eid, None):
            return None
        found: list[tuple[NotificationMetadata, ...]] = []
        with self._passing_over(euicc, eid, None, deadline=deadline):
            answer = euicc.notification_list(deadline=deadline.within(PATIENCE))
            self.uncopied.count_unreadable(eid, answer.unreadable)
            found.append(answer.notifications)
        return found[0] if found else None

    def _copy_all(
        self, euicc: Euicc, eid: str, waiting: list[NotificationMetadata], *, deadline: Deadline
    ) -> tuple[int, set[int]]:
        """Copy what there is place for, in the card's order; return how many were new, and what is left."""
        new, left = 0, set()
        kept = self._journal.notifications
        full = False
        for entry in waiting:
            full = full or kept.count(eid=eid) >= MOST_OF_A_CARD or kept.count() >= MOST_OF_ALL
            seq = entry.sequence_number
            left.add(seq)
            if full:
                self.uncopied.note(eid, entry, _NO_ROOM)
            elif not self.uncopied.is_resting(eid, seq):
                with self._passing_over(euicc, eid, seq, shown=entry, deadline=deadline):
                    new += self._copy(euicc, eid, seq, deadline=deadline.within(PATIENCE))
                    left.discard(seq)
        if full:
            log.warning("%d notifications stay on the card: there is no room for more copies", len(left))
        return new, left

    def _copy(self, euicc: Euicc, eid: str, seq: int, *, deadline: Deadline) -> int:
        copies = notification_delivery.retrieve(euicc, sequence_number=seq, deadline=deadline)
        if not copies:
            raise CardMalformed(
                "the card lists the notification, but returns nothing readable when asked for it"
            )
        longest = max(len(each.payload) for each in copies)
        if longest > LARGEST:
            raise CardMalformed(
                f"the notification has {longest} bytes, more than lpad accepts, and stays on the card"
            )
        return sum(self.keep(eid, pending) for pending in copies)

    @contextmanager
    def _passing_over(
        self,
        euicc: Euicc,
        eid: str,
        seq: int | None,
        *,
        shown: NotificationMetadata | None = None,
        resting: bool = True,
        deadline: Deadline,
    ) -> Iterator[None]:
        """Let one that is odd, or the list (None), hold up nothing else.

        `shown` is what people get to see of it; `resting`: the card is not asked for it again for a while.

        Raises:
            CardError: the card answers nothing any more.
            JournalUnavailable, Cancelled: as what is done inside.
        """
        what = "the list of notifications" if seq is None else f"notification {seq}"
        met: LpadError
        try:
            yield
        except JournalUnavailable:
            raise
        except (CardError, MalformedError, InvalidValue, InternalError) as error:
            if isinstance(error, CardUnreachable | CardBusy):
                _see_it_answers(euicc, error, deadline=deadline)
            log.warning("%s: %s (%s)", what, error, error.kind)
            met = error
        except LpadError:
            raise
        except Exception as error:
            # A mistake in lpad must not stand in the way of what the card is opened for.
            log.exception("%s: internal-error", what)
            met = internal_error(what, error)
        else:
            return
        if resting:
            self.uncopied.rest(eid, seq)
        if shown is not None:
            self.uncopied.note(eid, shown, met)


def _see_it_answers(euicc: Euicc, error: CardError, *, deadline: Deadline) -> None:
    """See that a card which gave no answer about a notification answers otherwise.

    Raises:
        CardError: it doesn't; that is the error met before.
    """
    try:
        euicc.get_eid(deadline=deadline.within(LIVELY))
    except CardError:
        raise error from None
