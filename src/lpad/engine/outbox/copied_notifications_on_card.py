"""The copies that a card still lists, and whether the notification with a copy's number is the copied one."""

from __future__ import annotations

import logging
from collections import defaultdict
from typing import TYPE_CHECKING

from lpad.base.errors import CardMalformed, CardRefused, CardStatus, InvalidValue, MalformedError
from lpad.codec.messages.notifications import PendingNotification as SignedNotification
from lpad.codec.messages.notifications import signed_part
from lpad.lpa import notification_delivery
from lpad.lpa.notification_delivery import PendingNotification

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from lpad.base.deadline import Deadline
    from lpad.codec.messages.notifications import NotificationMetadata
    from lpad.engine.journal import StoredNotification
    from lpad.lpa.euicc import Euicc

log = logging.getLogger(__name__)

_MOST_AT_ONCE = 8
"""The maximum number of notifications that lpad requests with one command; each has some kilobytes."""


def tidy_address(pending: PendingNotification) -> str:
    """Return the recipient's address in canonical form, so that each recipient has a single queue."""
    try:
        return str(pending.recipient)
    except InvalidValue:
        return pending.address


def under_number(
    euicc: Euicc, stored: StoredNotification, *, deadline: Deadline
) -> tuple[tuple[PendingNotification, ...], Callable[[bytes], bytes]]:
    """Return the card's notifications with a copy's number, and a function that returns the bytes to compare.

    No notification is returned if all equal the copy, or if the card refuses. A comparison of list entries
    would not suffice: a card that restarts its numbers may list the same event of the same profile again.
    Some cards sign a notification again for each request; then only the signed part is compared.

    Raises:
        CardError: the card cannot be reached.
    """
    try:
        found = notification_delivery.retrieve(euicc, sequence_number=stored.seq, deadline=deadline)
        if all(each.payload == stored.raw for each in found):
            return (), bytes
        again = notification_delivery.retrieve(euicc, sequence_number=stored.seq, deadline=deadline)
    except (CardRefused, CardStatus, CardMalformed) as error:
        # A card that no longer returns an accepted notification may still remove it.
        log.debug("cannot compare notification %d with the card's: %s", stored.seq, error)
        return (), bytes
    same = {each.payload for each in again} == {each.payload for each in found}
    return found, bytes if same else signed_part


def unchanged(euicc: Euicc, copies: Sequence[StoredNotification], *, deadline: Deadline) -> frozenset[int]:
    """Return the numbers under which the card still has the copied notifications, by one command.

    Args:
        euicc: an open ISD-R.
        copies: the copies that the card probably still has; for one copy, or more than eight, no command is
            sent.

    Returns:
        The numbers that need no further comparison (see `under_number`).

    Raises:
        CardUnreachable: the card cannot be reached.
        CardBusy: the card is busy.
    """
    if not 1 < len(copies) <= _MOST_AT_ONCE:
        return frozenset()
    try:
        found = notification_delivery.retrieve(euicc, deadline=deadline)
    except (CardRefused, CardStatus, CardMalformed) as error:
        log.debug("cannot compare all notifications with the card's in one step: %s", error)
        return frozenset()
    under: dict[int, set[bytes]] = defaultdict(set)
    for each in found:
        under[each.sequence_number].add(each.payload)
    return frozenset(each.seq for each in copies if under[each.seq] == {each.raw})


class ListedCopies:
    """A card's copies, and which of them the card still lists.

    On a card with a faulty counter, one number may belong to several notifications.
    """

    def __init__(self, copies: Iterable[StoredNotification]) -> None:
        self._displaced: list[StoredNotification] = []
        self._numbered: dict[int, StoredNotification] = {}
        for stored in copies:
            if stored.displaced:
                self._displaced.append(stored)
            else:
                self._numbered[stored.seq] = stored
        self._listed: dict[int, list[StoredNotification | None]] = {}

    def copy_of(self, entry: NotificationMetadata) -> StoredNotification | None:
        """Return the copy of a listed notification; None if there is none yet."""
        seq = entry.sequence_number
        taken = self._listed.setdefault(seq, [])
        candidates = [self._numbered[seq]] if seq in self._numbered else []
        copy = next(
            (each for each in (*candidates, *self._displaced) if each not in taken and _same(each, entry)),
            None,
        )
        taken.append(copy)
        return copy

    @property
    def repeats(self) -> bool:
        """Whether the card has given a copy's number to another notification."""
        return bool(self._displaced)

    def has_number(self, seq: int) -> bool:
        """Return whether there is a copy with this number of the card."""
        return seq in self._numbered

    def has_payload(self, payload: bytes) -> bool:
        """Return whether a notification with these bytes was copied, even if the card no longer lists it."""
        return any(each.raw == payload for each in (*self._numbered.values(), *self._displaced))

    def listed_under(self, seq: int) -> list[StoredNotification]:
        """Return the copies of the notifications that the card lists under a number."""
        return [each for each in self._listed.get(seq, ()) if each is not None]

    def removable(self) -> list[StoredNotification]:
        """Return the notifications to remove: the card lists only removable ones under their numbers."""
        return [
            self._numbered[seq]
            for seq, copies in self._listed.items()
            if seq in self._numbered
            and self._numbered[seq] in copies
            and all(copy is not None and copy.removable for copy in copies)
        ]

    def left(self, stored: StoredNotification) -> None:
        """Record that a notification has left the card, together with all others with its number."""
        self._listed.pop(stored.seq, None)
        self._numbered.pop(stored.seq, None)

    def gone(self) -> list[StoredNotification]:
        """Return the copies that the card no longer lists.

        While the card lists their number, copies without their own number stay, because the list may show two
        notifications as one.
        """
        numbered = [each for seq, each in self._numbered.items() if each not in self._listed.get(seq, ())]
        return numbered + [each for each in self._displaced if _number_on_card(each) not in self._listed]


def _number_on_card(stored: StoredNotification) -> int | None:
    """Return the number that the card gave to a copied notification; None if the copy cannot be read."""
    try:
        return SignedNotification.decode(stored.raw).metadata.sequence_number
    except MalformedError:
        return None


def _same(stored: StoredNotification, entry: NotificationMetadata) -> bool:
    """Return whether the card's entry is the copied notification; a reset card may reuse numbers."""
    tidy = tidy_address(PendingNotification(stored.seq, stored.event, entry.address, None, b""))
    return (
        stored.iccid == (str(entry.iccid) if entry.iccid else None)
        and stored.event == entry.event.value
        and stored.address in (entry.address, tidy)
    )
