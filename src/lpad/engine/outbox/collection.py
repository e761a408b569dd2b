"""The card's side of the outbox: it copies notifications, and removes delivered ones from the card."""

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
from lpad.engine.outbox.listed_copies import ListedCopies, tidy_address, unchanged, under_number
from lpad.engine.outbox.notification_events import tell, tell_dropped
from lpad.engine.outbox.uncopied_notifications import UncopiedNotification, UncopiedNotifications
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
"""The maximum number of copies of one card's notifications. Cards contain some dozens; further ones stay on
the card, without loss, until some copies were delivered, so that a faulty card cannot fill the disk."""
MOST_OF_ALL = 2000
"""The same for all cards together, because a card may report another EID each time."""
LARGEST = 32 * 1024
"""The maximum number of bytes of one notification. Real ones have some kilobytes, including certificates."""
PATIENCE = 30.0
"""Seconds for one notification, or for the list, because others wait for the card."""
LIVELY = 10.0
"""Seconds in which a card that did not answer about a notification must return its EID."""

_NO_ROOM = InternalError(
    "the journal has no room for more copies; lpad copies the notification once others have been delivered"
)


class Collection:
    """Keeps the journal's copies in step with a card's list of notifications."""

    def __init__(self, journal: Journal, hub: Hub) -> None:
        self._journal = journal
        self._hub = hub
        self.uncopied = UncopiedNotifications(journal.clock)
        """The listed notifications that could not be copied."""

    def collect(self, euicc: Euicc, eid: str, *, deadline: Deadline) -> int:
        """Copy a card's new notifications into the journal, and remove delivered ones from the card.

        A problem with one of them, or with the list, does not affect the others: notifications that cannot be
        copied stay on the card and are in `uncopied`. If there are already too many copies, the remaining
        notifications stay on the card, too.

        Returns:
            The number of new ones.

        Raises:
            CardError: the card can no longer be reached; copies made so far are kept.
            JournalUnavailable: copies cannot be stored, so nothing leaves the card.
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
        accepted = [each for each in found.removable() if not self.uncopied.is_resting(eid, each.seq)]
        alone = len(accepted) == len(listed)
        same = self._unchanged(euicc, eid, accepted if alone else [], deadline=deadline)
        for stored in accepted:
            seq = stored.seq
            with self._passing_over(euicc, eid, seq, deadline=deadline):
                if seq in same:
                    self.remove(euicc, stored, deadline=deadline.within(PATIENCE))
                    found.left(stored)
                elif self._remove_if_same(euicc, stored, deadline=deadline.within(PATIENCE)):
                    found.left(stored)
        for stored in found.gone():
            # Another program has removed the notification, unless it is now unreadable. lpad still sends an
            # undelivered copy.
            if stored.removable and not self.uncopied.unreadable(eid):
                self._journal.notifications.drop(stored.id)
        new, left = self._copy_all(euicc, eid, waiting, deadline=deadline)
        self.uncopied.keep_only(eid, left, listed={entry.sequence_number for entry in listed})
        return new

    def keep(self, eid: str, notification: PendingNotification) -> bool:
        """Copy a notification into the journal, such as an installation's result.

        Return whether it is new.
        """
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
        """Remove delivered notifications from the card, right after `collect` has seen them there.

        Returns:
            Whether all were removed.

        Raises:
            CardError: the card can no longer be reached.
        """
        gone = True
        copies = self._journal.notifications.all(eid=eid)
        accepted = [each for each in copies if each.removable and not each.displaced]
        alone = len(accepted) == len(copies)
        same = self._unchanged(euicc, eid, accepted if alone else [], deadline=deadline)
        for stored in accepted:
            left = True
            with self._passing_over(euicc, eid, stored.seq, resting=False, deadline=deadline):
                if stored.seq in same:
                    self.remove(euicc, stored, deadline=deadline.within(PATIENCE))
                    left = False
                else:
                    left = not self._remove_if_same(euicc, stored, deadline=deadline.within(PATIENCE))
            gone = gone and not left
        return gone

    def remove(self, euicc: Euicc, stored: StoredNotification, *, deadline: Deadline) -> None:
        """Remove one from the card, and delete its copy.

        Raises:
            CardError: the card refuses or cannot be reached.
        """
        if not stored.displaced:  # the card would remove another one with this number
            self._journal.notifications.mark_removing(stored.id)
            notification_delivery.remove(euicc, stored.seq, deadline=deadline)
        self._journal.notifications.drop(stored.id)
        tell(self._hub, "removed", stored)

    def _unchanged(
        self, euicc: Euicc, eid: str, copies: list[StoredNotification], *, deadline: Deadline
    ) -> set[int]:
        """Return the numbers that need no separate comparison; none if the card does not report it."""
        same: set[int] = set()
        with self._passing_over(euicc, eid, None, resting=False, deadline=deadline):
            same.update(unchanged(euicc, copies, deadline=deadline.within(PATIENCE)))
        return same

    def _remove_if_same(self, euicc: Euicc, stored: StoredNotification, *, deadline: Deadline) -> bool:
        """Remove an accepted notification from the card; if another one has its number, copy that instead.

        Returns:
            Whether it was removed.

        Raises:
            CardError: the card refuses or cannot be reached.
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
        """Remove one from the card without a copy, so that it is never delivered.

        Raises:
            CardError: the card refuses or cannot be reached.
        """
        notification_delivery.remove(euicc, uncopied.seq, deadline=deadline)
        self.uncopied.forget(eid, uncopied.seq)
        tell_dropped(self._hub, eid, uncopied)

    def _list(self, euicc: Euicc, eid: str, *, deadline: Deadline) -> tuple[NotificationMetadata, ...] | None:
        """Return the card's list; None if the card returns no readable list, or recently returned none."""
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
        """Copy as many as there is room for, in the card's order.

        Return the number of new ones, and the rest.
        """
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
        """Prevent an unreadable notification, or the list (None), from blocking the others.

        `shown` is the entry shown to users; `resting`: lpad does not ask the card for it again for a while.

        Raises:
            CardError: the card no longer answers.
            JournalUnavailable, Cancelled: raised inside the block.
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
            # A fault in lpad must not block the purpose for which the card was opened.
            log.exception("%s: internal-error", what)
            met = internal_error(what, error)
        else:
            return
        if resting:
            self.uncopied.rest(eid, seq)
            if seq is None:
                self.uncopied.note_list(eid, met)
        if shown is not None:
            self.uncopied.note(eid, shown, met)


def _see_it_answers(euicc: Euicc, error: CardError, *, deadline: Deadline) -> None:
    """Check that a card that did not answer about a notification answers other commands.

    Raises:
        CardError: it does not; this is the earlier error.
    """
    try:
        euicc.get_eid(deadline=deadline.within(LIVELY))
    except CardError:
        raise error from None
