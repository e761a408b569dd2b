"""The card's side of the outbox: it copies notifications, and removes delivered ones from the card."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

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
from lpad.engine.journal.notifications import NewCopy, Stage
from lpad.engine.outbox.copied_notifications_on_card import (
    ListedCopies,
    tidy_address,
    unchanged,
    under_number,
)
from lpad.engine.outbox.notification_events import tell, tell_dropped
from lpad.engine.outbox.uncopied_notifications import UncopiedNotification, UncopiedNotifications
from lpad.lpa import notification_delivery

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from lpad.base.deadline import Deadline
    from lpad.codec.messages.notifications import ListNotificationResponse, NotificationMetadata
    from lpad.engine.change.event_subscriptions import Hub
    from lpad.engine.journal import Journal, StoredNotification
    from lpad.lpa.euicc import Euicc
    from lpad.lpa.notification_delivery import PendingNotification

log = logging.getLogger(__name__)

MOST_OF_A_CARD = 500
"""The maximum number of copies of one card's notifications. Cards contain some dozens; any above this number
stay on the card, without loss, until some copies were delivered: a faulty card must not fill the disk."""
MOST_OF_ALL = 2000
"""The maximum number of copies for all cards, because a faulty card may report another EID each time."""
LARGEST = 32 * 1024
"""The maximum number of bytes of one notification. Real ones, with certificates, have some kilobytes."""
PATIENCE = 30.0
"""Seconds for one notification, or for the list, because other work waits for the card."""
_COPIED_AT_ONCE = 8
"""The number of notifications that one transaction copies; until the transaction ends, they are on the card
only."""
_READ_AT_ONCE = 4
"""The maximum number of notifications that one command reads; each has some kilobytes."""
LIVELY = 10.0
"""Seconds in which a card that did not answer about a notification must return its EID."""

_NO_ROOM = InternalError(
    "the journal has no room for more copies; lpad copies the notification once others have been delivered"
)


_Read = tuple["NotificationMetadata", "Sequence[PendingNotification]"]
"""A listed notification, and the notifications that the card returned under its number."""


class Collection:
    """Keeps the journal's copies up to date with a card's list of notifications."""

    def __init__(self, journal: Journal, hub: Hub, *, sends: Callable[[], bool] = lambda: False) -> None:
        """Create the card's side of the outbox.

        Args:
            journal: has the copies.
            hub: reports the notifications that leave the card.
            sends: returns whether lpad sends a new copy immediately.
        """
        self._sends = sends
        self._journal = journal
        self._hub = hub
        self.uncopied = UncopiedNotifications(journal.clock)
        """The listed notifications that could not be copied."""
        self._copied: WeakKeyDictionary[Euicc, set[int]] = WeakKeyDictionary()
        """The numbers read in each open session. A card that restarts, and might then reuse its numbers,
        ends the session, so within a session a number means the notification that was copied."""
        self._one_by_one: set[str] = set()
        """The EIDs of cards that have failed to return several notifications with one command."""
        self._results: WeakKeyDictionary[Euicc, PendingNotification] = WeakKeyDictionary()
        """The notification that a card has returned as an installation's result, in each open session, until
        `collect` has copied it."""
        self._outliving: dict[str, PendingNotification] = {}
        """The notifications of `remember_beyond`, by the EIDs of their cards, until the next `collect`."""

    def collect(self, euicc: Euicc, eid: str, *, deadline: Deadline) -> int:
        """Copy a card's new notifications into the journal, and remove delivered ones from the card.

        A problem with one notification, or with the list, does not affect other notifications: those that
        cannot be copied stay on the card and are in `uncopied`. If there are already too many copies, the
        remaining notifications stay on the card, too.

        Returns:
            The number of new copies.

        Raises:
            CardError: the card can no longer be reached; copies made so far are kept.
            JournalUnavailable: the journal cannot be written; nothing leaves the card without a copy.
        """
        try:
            return self._collect(euicc, eid, deadline=deadline)
        except CardError:
            self.keep_remembered(euicc, eid)
            raise

    def _collect(self, euicc: Euicc, eid: str, *, deadline: Deadline) -> int:
        answer = self._list(euicc, eid, deadline=deadline)
        if answer is None:
            self.keep_remembered(euicc, eid)
            return 0
        listed = answer.notifications
        found = ListedCopies(self._journal.notifications.all(eid=eid))
        waiting = []
        for entry in listed:
            seq = entry.sequence_number
            with self._passing_over(euicc, eid, seq, shown=entry, deadline=deadline):
                if found.copy_of(entry) is None:
                    waiting.append(entry)
        at_hand = self._recognise_result(euicc, eid, found, waiting, answer)
        accepted = [each for each in found.removable() if not self.uncopied.is_resting(eid, each.seq)]
        alone = len(accepted) == len(listed)
        same = self._same(euicc, eid, accepted, alone=alone, deadline=deadline)
        for stored in self._remove_all(euicc, eid, same, deadline=deadline):
            found.left(stored)
        for stored in found.gone():
            # Another program has removed the notification, unless its entry is unreadable. lpad still sends
            # an undelivered copy.
            if stored.removable and not self.uncopied.unreadable(eid):
                self._journal.notifications.drop(stored.id)
        # One command may then fetch the remaining notifications, unless the list has duplicate numbers.
        alone = len(waiting) == len(listed) - len(same) and not (answer.unreadable or answer.repeated)
        if alone and not at_hand:
            at_hand = self._read_together(euicc, eid, waiting, deadline=deadline)
        new, left = self._copy_all(euicc, eid, waiting, at_hand, deadline=deadline)
        self._results.pop(euicc, None)
        self._keep_unread(euicc, eid, found, waiting, left)
        self.uncopied.keep_only(eid, left, listed={entry.sequence_number for entry in listed})
        return new

    def keep(self, eid: str, notification: PendingNotification) -> bool:
        """Copy a notification into the journal; return whether it is new."""
        return self._keep_all(eid, [notification]) == 1

    def remember_result(self, euicc: Euicc, notification: PendingNotification) -> None:
        """Remember a notification that the card has just returned, so that `collect` need not read it.

        If the card lists its number once, the copy is not compared with the card's notification before the
        removal. If the session is lost, the notification is copied from the card.
        """
        self._results[euicc] = notification

    def remember_beyond(self, euicc: Euicc, eid: str) -> None:
        """Remember the session's result beyond its end, in case the card does not list it afterwards.

        The next `collect` of this card copies it, unless there is a copy, or it can be read from the card.
        """
        result = self._results.get(euicc)
        if result is not None:
            self._outliving[eid] = result

    def keep_remembered(self, euicc: Euicc, eid: str) -> None:
        """Copy the remembered result now, unless `collect` has copied it, because the card may be gone."""
        result = self._results.pop(euicc, None) or self._outliving.get(eid)
        if result is not None:
            self.keep(eid, result)
        self._outliving.pop(eid, None)

    def _keep_unread(
        self,
        euicc: Euicc,
        eid: str,
        found: ListedCopies,
        waiting: Sequence[NotificationMetadata],
        left: set[int],
    ) -> None:
        """Copy the result of an earlier session, unless it was read from the card or there is a copy."""
        result = self._outliving.get(eid)
        if result is None:
            return
        listed = any(_is_entry_of(result, entry) for entry in waiting)
        if found.has_payload(result.payload) or (listed and result.sequence_number not in left):
            self._outliving.pop(eid)
        else:
            self.keep_remembered(euicc, eid)

    def _keep_all(self, eid: str, notifications: Sequence[PendingNotification]) -> int:
        """Copy notifications in one transaction; return how many are new."""
        at = self._journal.clock.now().steady
        return self._journal.notifications.keep_all(
            [
                NewCopy(
                    eid=eid,
                    seq=each.sequence_number,
                    event=each.event,
                    address=tidy_address(each),
                    iccid=str(each.iccid) if each.iccid else None,
                    raw=each.payload,
                    at=at,
                    sends=self._sends(),
                )
                for each in notifications
            ]
        )

    def _recognise_result(
        self,
        euicc: Euicc,
        eid: str,
        found: ListedCopies,
        waiting: list[NotificationMetadata],
        answer: ListNotificationResponse,
    ) -> dict[int, list[PendingNotification]]:
        """Return the session's result by its number, to be copied together with other notifications.

        If the card lists the result once and repeats no number, it counts as read by its number. Otherwise a
        command to remove the result might remove another notification with the same number. In that case the
        result is copied now, and compared before it is removed.
        """
        result = self._results.get(euicc)
        if result is None:
            return {}
        self._outliving.pop(eid, None)
        seq = result.sequence_number
        if not (found.repeats or answer.unreadable or seq in answer.repeated):
            if result.payload in [each.raw for each in found.listed_under(seq)]:
                self._results.pop(euicc)
                self._copied.setdefault(euicc, set()).add(seq)
                return {}
            if not found.has_number(seq) and any(_is_entry_of(result, entry) for entry in waiting):
                return {seq: [result]}
        self.keep_remembered(euicc, eid)
        return {}

    def take_off(self, euicc: Euicc, eid: str, *, deadline: Deadline) -> bool:
        """Remove delivered notifications from the card, right after `collect` has seen them there.

        Returns:
            Whether all were removed; false also if a copy has lost its number on the card to another
            notification, because only `collect` can handle such a copy.

        Raises:
            CardError: the card can no longer be reached.
        """
        copies = self._journal.notifications.all(eid=eid)
        removable = [each for each in copies if each.removable]
        accepted = [each for each in removable if not each.displaced]
        alone = len(accepted) == len(copies)
        same = self._same(euicc, eid, accepted, alone=alone, resting=False, deadline=deadline)
        return len(self._remove_all(euicc, eid, same, resting=False, deadline=deadline)) == len(removable)

    def remove(self, euicc: Euicc, stored: StoredNotification, *, deadline: Deadline) -> None:
        """Remove a notification from the card, and delete its copy.

        Raises:
            CardError: the card refuses or cannot be reached.
        """
        if not stored.displaced:  # the card would remove another notification with this number
            self._journal.notifications.mark_removing(stored.id)
            notification_delivery.remove(euicc, stored.seq, deadline=deadline)
        self._journal.notifications.drop(stored.id)
        tell(self._hub, "removed", stored)

    def _remove_all(
        self,
        euicc: Euicc,
        eid: str,
        copies: list[StoredNotification],
        *,
        resting: bool = True,
        deadline: Deadline,
    ) -> list[StoredNotification]:
        """Remove notifications that are certainly copied, and return those that have left the card.

        Before the first removal, the journal records for all of them that they are being removed.

        Raises:
            CardError: the card can no longer be reached.
        """
        removed: list[StoredNotification] = []
        if not copies:
            return removed
        unmarked = [each.id for each in copies if each.stage is not Stage.REMOVING]
        if unmarked:
            self._journal.notifications.mark_removing(*unmarked)
        try:
            for stored in copies:
                with self._passing_over(euicc, eid, stored.seq, resting=resting, deadline=deadline):
                    notification_delivery.remove(euicc, stored.seq, deadline=deadline.within(PATIENCE))
                    removed.append(stored)
        finally:
            if removed:
                self._journal.notifications.drop(*(each.id for each in removed))
        for stored in removed:
            tell(self._hub, "removed", stored)
        return removed

    def _same(
        self,
        euicc: Euicc,
        eid: str,
        accepted: list[StoredNotification],
        *,
        alone: bool,
        resting: bool = True,
        deadline: Deadline,
    ) -> list[StoredNotification]:
        """Return the accepted copies that the card may remove: no other notification has their numbers.

        Args:
            euicc: an open ISD-R.
            eid: the card's EID.
            accepted: the accepted copies, each with a number on the card.
            alone: whether the card has no other notifications, so that one command may compare all of them.
            resting: as for `_passing_over`.
            deadline: for all comparisons.

        Raises:
            CardError: the card can no longer be reached.
        """
        same = {each.seq for each in accepted} & self._copied.get(euicc, set())
        others = [each for each in accepted if each.seq not in same] if alone else []
        with self._passing_over(euicc, eid, None, resting=False, deadline=deadline):
            same.update(unchanged(euicc, others, deadline=deadline.within(PATIENCE)))
        for stored in accepted:
            if stored.seq not in same:
                with self._passing_over(euicc, eid, stored.seq, resting=resting, deadline=deadline):
                    if self._is_same(euicc, stored, deadline=deadline.within(PATIENCE)):
                        same.add(stored.seq)
        return [each for each in accepted if each.seq in same]

    def _is_same(self, euicc: Euicc, stored: StoredNotification, *, deadline: Deadline) -> bool:
        """Compare an accepted notification with the card's; copy another one that has its number.

        Returns:
            Whether the accepted notification may be removed.

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
        return left

    def remove_uncopied(
        self, euicc: Euicc, eid: str, uncopied: UncopiedNotification, *, deadline: Deadline
    ) -> None:
        """Remove a notification without a copy from the card, so that it is never delivered.

        Raises:
            CardError: the card refuses or cannot be reached.
        """
        notification_delivery.remove(euicc, uncopied.seq, deadline=deadline)
        self.uncopied.forget(eid, uncopied.seq)
        tell_dropped(self._hub, eid, uncopied)

    def _list(self, euicc: Euicc, eid: str, *, deadline: Deadline) -> ListNotificationResponse | None:
        """Return the card's list; None if the card returns no readable list, or recently returned none."""
        if self.uncopied.is_resting(eid, None):
            return None
        found: list[ListNotificationResponse] = []
        with self._passing_over(euicc, eid, None, deadline=deadline):
            answer = euicc.notification_list(deadline=deadline.within(PATIENCE))
            self.uncopied.count_unreadable(eid, answer.unreadable)
            found.append(answer)
        return found[0] if found else None

    def _copy_all(
        self,
        euicc: Euicc,
        eid: str,
        waiting: list[NotificationMetadata],
        at_hand: dict[int, list[PendingNotification]],
        *,
        deadline: Deadline,
    ) -> tuple[int, set[int]]:
        """Copy as many notifications as the journal has room for, in the card's order.

        Args:
            at_hand: the notifications that need not be read, by their numbers.

        Returns:
            The number of new copies, and the sequence numbers that are still to be copied.
        """
        new, left = 0, set()
        read: list[_Read] = []
        kept = self._journal.notifications
        full = False
        try:
            for entry in waiting:
                full = full or kept.count(eid=eid) + len(read) >= MOST_OF_A_CARD
                full = full or kept.count() + len(read) >= MOST_OF_ALL
                seq = entry.sequence_number
                left.add(seq)
                if full:
                    self.uncopied.note(eid, entry, _NO_ROOM)
                elif not self.uncopied.is_resting(eid, seq):
                    with self._passing_over(euicc, eid, seq, shown=entry, deadline=deadline):
                        copies = at_hand.get(seq) or _read(euicc, seq, deadline=deadline.within(PATIENCE))
                        read.append((entry, _checked(copies)))
                if len(read) >= _COPIED_AT_ONCE:
                    first, read = read, []
                    new += self._keep_read(euicc, eid, first, left, deadline=deadline)
        finally:  # copy the notifications that were read before the card failed
            new += self._keep_read(euicc, eid, read, left, deadline=deadline)
        if full:
            log.warning("%d notifications stay on the card: there is no room for more copies", len(left))
        return new, left

    def _keep_read(
        self, euicc: Euicc, eid: str, read: list[_Read], left: set[int], *, deadline: Deadline
    ) -> int:
        """Copy the notifications in `read`, and remove their numbers from `left`; return how many are new.

        One transaction copies all of them; after a fault, each notification is copied separately.
        """
        try:
            new = self._keep_all(eid, [each for _, copies in read for each in copies]) if read else 0
        except LpadError:
            raise
        except Exception:
            log.exception("copying %d notifications together: internal-error", len(read))
            new = 0
            for entry, copies in read:
                seq = entry.sequence_number
                with self._passing_over(euicc, eid, seq, shown=entry, deadline=deadline):
                    new += self._keep_all(eid, copies)
                    left.discard(seq)
        else:
            left.difference_update(entry.sequence_number for entry, _ in read)
        # Only numbers of single notifications: a command to remove one may remove all with its number.
        single = {entry.sequence_number for entry, copies in read if len(copies) == 1}
        self._copied.setdefault(euicc, set()).update(single - left)
        return new

    def _read_together(
        self, euicc: Euicc, eid: str, waiting: list[NotificationMetadata], *, deadline: Deadline
    ) -> dict[int, list[PendingNotification]]:
        """Read a few notifications with one command, because each further command costs the caller time.

        Return them by their numbers; a notification that the card did not return in this way is read by its
        own number. A card that fails once is not asked for several notifications again.
        """
        wanted = [each.sequence_number for each in waiting]
        rests = any(self.uncopied.is_resting(eid, seq) for seq in wanted)
        if rests or eid in self._one_by_one or not 1 < len(set(wanted)) == len(wanted) <= _READ_AT_ONCE:
            return {}
        found: dict[int, list[PendingNotification]] = {}
        try:
            for each in notification_delivery.retrieve(euicc, deadline=deadline.within(PATIENCE)):
                found.setdefault(each.sequence_number, []).append(each)
        except (CardError, MalformedError, InvalidValue) as error:
            if isinstance(error, CardUnreachable | CardBusy):
                _see_it_answers(euicc, error, deadline=deadline)
            log.info("cannot read %d notifications together: %s", len(wanted), error)
        if not found.keys() >= set(wanted):
            self._one_by_one.add(eid)
        return found

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
        """Prevent an unreadable notification, or an unreadable list (`seq` None), from blocking others.

        `shown` is the entry shown to users; `resting`: whether lpad asks for it again only after a pause.

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


def _is_entry_of(result: PendingNotification, entry: NotificationMetadata) -> bool:
    """Return whether an entry of the card's list is an installation's result."""
    return (entry.sequence_number, entry.event.value, entry.iccid, entry.address) == (
        result.sequence_number, result.event, result.iccid, result.address,
    )  # fmt: skip


def _read(euicc: Euicc, seq: int, *, deadline: Deadline) -> Sequence[PendingNotification]:
    copies = notification_delivery.retrieve(euicc, sequence_number=seq, deadline=deadline)
    if not copies:
        raise CardMalformed("the card lists the notification, but returns nothing readable when asked for it")
    return copies


def _checked(copies: Sequence[PendingNotification]) -> Sequence[PendingNotification]:
    longest = max(len(each.payload) for each in copies)
    if longest > LARGEST:
        raise CardMalformed(
            f"the notification has {longest} bytes, more than lpad accepts, and stays on the card"
        )
    return copies


def _see_it_answers(euicc: Euicc, error: CardError, *, deadline: Deadline) -> None:
    """Check that a card that did not answer about a notification answers other commands.

    Raises:
        CardError: the card answers no other command either; the error raised is the earlier `error`.
    """
    try:
        euicc.get_eid(deadline=deadline.within(LIVELY))
    except CardError:
        raise error from None
