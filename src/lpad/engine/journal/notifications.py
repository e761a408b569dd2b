"""The outbox in the journal: copies of notifications and their stages."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from lpad.base.frozen import Frozen
from lpad.engine.journal.file.database import again_if_repaired

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lpad.engine.events.happening import Happening
    from lpad.engine.journal.events.event_log import EventLog
    from lpad.engine.journal.file.database import Database, Transaction
    from lpad.engine.journal.file.verification import Row


class Stage(enum.StrEnum):
    """The stages of a notification. A stage is written before its action begins."""

    PENDING = "pending"  # to be sent
    SENDING = "sending"  # is being sent; after a restart, the server may have received it
    DELIVERED = "delivered"  # accepted by the server; may leave the card
    REFUSED = "refused"  # set aside: the server will not accept it, or the address is invalid
    DROPPED = "dropped"  # dropped by a user; may leave the card
    REMOVING = "removing"  # is being removed from the card


UNSENT = frozenset({Stage.PENDING, Stage.SENDING})
"""The stages of notifications that must still be sent."""
REMOVABLE = frozenset({Stage.DELIVERED, Stage.DROPPED, Stage.REMOVING})
"""The stages of notifications that may leave the card."""
DISPLACED = -(10**12)
"""The first of lpad's own numbers, for copies whose number the card has given to another notification."""
_OWN_NUMBERS = range(DISPLACED, DISPLACED + 10**11)


class StoredNotification(Frozen, kw_only=True):
    """A notification's copy: `raw` is the signed PendingNotification as the card gave it.

    Moments are seconds on the journal's steady clock. `refusals` counts consecutive refusals, `answered` the
    attempts that a server answered with an error. `answered_since` is the moment of the first such answer;
    None if there was none, or if an earlier version of lpad counted it.
    """

    id: int
    eid: str
    seq: int
    event: str
    address: str
    iccid: str | None
    raw: bytes
    stored_at: float
    stage: Stage
    attempts: int
    refusals: int
    last_error: str | None
    last_attempt_at: float | None
    next_attempt_at: float
    answered: int
    answered_since: float | None

    @property
    def displaced(self) -> bool:
        """Whether another notification has this notification's number on the card."""
        return self.seq in _OWN_NUMBERS

    @property
    def unsent(self) -> bool:
        """Whether the notification must still be sent."""
        return self.stage in UNSENT

    @property
    def removable(self) -> bool:
        """Whether the notification may be removed from the card."""
        return self.stage in REMOVABLE


class NewCopy(Frozen, kw_only=True):
    """A notification to copy, with the fields of `StoredNotification`; `at` is the present moment.

    `sends`: whether lpad sends it immediately afterwards, unless other notifications wait for its recipient.
    A copy that is sent immediately is stored in the stage `sending`, which saves a transaction.
    """

    eid: str
    seq: int
    event: str
    address: str
    iccid: str | None
    raw: bytes
    at: float
    sends: bool = False


_DROP = "DELETE FROM notifications WHERE id = ?"
_COLUMNS = StoredNotification.__struct_fields__


def check_notification(row: Row) -> None:
    """Check that a row's stage is known.

    Raises:
        ValueError: the stage is unknown.
    """
    Stage(str(row["stage"]))


class Notifications:
    """The table of notifications; data is on the disk when a call returns, except after `drop`."""

    def __init__(self, database: Database, events: EventLog) -> None:
        self._database = database
        self._events = events

    def keep(
        self, *, eid: str, seq: int, event: str, address: str, iccid: str | None, raw: bytes, at: float
    ) -> bool:
        """Copy a notification; return whether it is new.

        A card should never reuse a notification number. If a re-created or faulty card reuses one, the older
        copy gets one of lpad's own numbers.
        """
        copy = NewCopy(eid=eid, seq=seq, event=event, address=address, iccid=iccid, raw=raw, at=at)
        return self.keep_all([copy]) == 1

    @again_if_repaired
    def keep_all(self, copies: Sequence[NewCopy]) -> int:
        """Copy several notifications as `keep` does, in one transaction; return how many of them are new."""
        with self._database.writing() as db:
            return sum(_keep(db, copy) for copy in copies)

    def all(self, *, eid: str | None = None) -> list[StoredNotification]:
        """Return the copies, of one card or of all, in ascending order of card and number."""
        rows = self._database.rows(
            f"SELECT {', '.join(_COLUMNS)} FROM sound_notifications"
            " WHERE eid = ifnull(?, eid) ORDER BY eid, seq",
            eid,
        )
        found = (dict(zip(_COLUMNS, row, strict=True)) for row in rows)
        gone = self._database.deferred(_DROP)
        return [
            StoredNotification(**{**each, "stage": Stage(each["stage"])})
            for each in found
            if each["id"] not in gone
        ]

    def count(self, *, eid: str | None = None) -> int:
        """Return the number of copies, of one card or of all."""
        counted = "SELECT count(*) FROM notifications WHERE eid = ifnull(?, eid)"
        return int(self._database.rows(counted, eid)[0][0])

    @again_if_repaired
    def mark_sending(self, notification_id: int, *, at: float) -> None:
        """Record that a notification is being sent, before it is sent."""
        with self._database.writing() as db:
            _mark_sending(db, notification_id, at)

    @again_if_repaired
    def mark_delivered(
        self,
        notification_id: int,
        *,
        sending: tuple[int, float] | None = None,
        removing: Sequence[int] = (),
    ) -> None:
        """Record that the server accepted a notification, which may now leave the card.

        Args:
            notification_id: the accepted notification.
            sending: the next notification, which is sent immediately, and the present moment.
            removing: the accepted notifications that are removed from the card next.
        """
        with self._database.writing() as db:
            db.execute(
                "UPDATE notifications SET stage = 'delivered', attempts = attempts + 1, last_error = NULL"
                " WHERE id = ?",
                (notification_id,),
            )
            if sending is not None:
                _mark_sending(db, *sending)
            db.executemany(
                "UPDATE notifications SET stage = 'removing' WHERE id = ? AND stage = 'delivered'",
                [(each,) for each in removing],
            )

    def mark_removing(self, *notification_ids: int) -> None:
        """Record that notifications are being removed from the card, before the first one is."""
        self._to(Stage.REMOVING, *notification_ids)

    def mark_dropped(self, notification_id: int) -> None:
        """Record that a user dropped a notification, which may now leave the card."""
        self._to(Stage.DROPPED, notification_id)

    @again_if_repaired
    def mark_failed(
        self,
        notification_id: int,
        *,
        error: str,
        next_attempt_at: float,
        answered_at: float | None = None,
        refused: bool = False,
        set_aside: bool = False,
        postponed: Sequence[int] = (),
        happenings: Sequence[Happening] = (),
    ) -> None:
        """Record a failed attempt.

        Args:
            error: the kind and the sentence of the error.
            next_attempt_at: when the next attempt is due, also for the notifications in `postponed`.
            answered_at: when the server answered with an error; None if it sent no answer.
            refused: whether this notification counts as refused, so that later ones are still sent.
            set_aside: whether lpad no longer tries to deliver the notification.
            postponed: the later notifications of the queue.
            happenings: the events that follow from the failure.
        """
        stage = Stage.REFUSED if set_aside else Stage.PENDING
        with self._events.writing(happenings) as db:
            db.execute(
                "UPDATE notifications SET stage = ?, attempts = attempts + 1, last_error = ?,"
                " refusals = iif(?, refusals + 1, 0), answered = answered + ?,"
                " answered_since = ifnull(answered_since, ?) WHERE id = ?",
                (stage.value, error, refused, answered_at is not None, answered_at, notification_id),
            )
            db.executemany(
                "UPDATE notifications SET next_attempt_at = ? WHERE id = ?",
                [(next_attempt_at, each) for each in (notification_id, *postponed)],
            )

    @again_if_repaired
    def make_due(
        self,
        *,
        at: float,
        eid: str | None = None,
        address: str | None = None,
        idle_since: float | None = None,
    ) -> int:
        """Make unsent notifications due at a moment, unless they are due earlier; return how many changed.

        Args:
            at: the moment, in seconds on the steady clock.
            eid: the card whose notifications become due; None: all cards.
            address: the recipient whose notifications become due; None: all recipients.
            idle_since: leave out recipients that were tried after this moment.
        """
        with self._database.writing() as db:
            return db.execute(
                "UPDATE notifications SET next_attempt_at = ?1"
                " WHERE stage IN ('pending', 'sending')"
                " AND eid = ifnull(?2, eid) AND address = ifnull(?3, address)"
                " AND NOT EXISTS (SELECT 1 FROM notifications AS tried"
                " WHERE tried.address = notifications.address"
                " AND tried.last_attempt_at BETWEEN ?4 AND ?1)"
                " AND next_attempt_at > ?1",
                (at, eid, address, idle_since),
            ).rowcount

    @again_if_repaired
    def retry(self, notification_id: int, *, at: float) -> None:
        """Make a set-aside or waiting notification pending, and due at a moment."""
        with self._database.writing() as db:
            db.execute(
                "UPDATE notifications SET stage = 'pending', refusals = 0, next_attempt_at = ? WHERE id = ?",
                (at, notification_id),
            )

    def drop(self, *notification_ids: int) -> None:
        """Delete notifications that have left the card; the next transaction writes this to the disk.

        If lpad ends before that, the journal shows the notifications as being removed until the card's list
        lacks them.
        """
        for each in notification_ids:
            self._database.defer(_DROP, each)

    @again_if_repaired
    def _to(self, stage: Stage, *notification_ids: int) -> None:
        with self._database.writing() as db:
            db.executemany(
                "UPDATE notifications SET stage = ? WHERE id = ?",
                [(stage.value, each) for each in notification_ids],
            )


def _keep(db: Transaction, copy: NewCopy) -> bool:
    rows = db.execute(
        "SELECT id, seq, raw FROM sound_notifications"
        " WHERE eid = ?1 AND (seq = ?2 OR (seq BETWEEN ?3 AND ?4 AND raw = ?5))",
        (copy.eid, copy.seq, _OWN_NUMBERS[0], _OWN_NUMBERS[-1], copy.raw),
    ).fetchall()
    if any(known == copy.raw for _, _, known in rows):
        return False
    for number, _, _ in rows:
        db.execute("UPDATE notifications SET seq = ? WHERE id = ?", (DISPLACED + number, number))
    others = "SELECT 1 FROM notifications WHERE address = ? AND stage IN ('pending', 'sending')"
    first = copy.sends and db.execute(others, (copy.address,)).fetchone() is None
    added = db.execute(
        "INSERT OR REPLACE INTO notifications"
        " (eid, seq, event, address, iccid, raw, stored_at, next_attempt_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (copy.eid, copy.seq, copy.event, copy.address, copy.iccid, copy.raw, copy.at, copy.at),
    )
    if first:
        _mark_sending(db, added.lastrowid or 0, copy.at)
    # A new notification shows that the device is probably online, so the earlier ones, which must be sent
    # first, become due as well.
    db.execute(
        "UPDATE notifications SET next_attempt_at = min(next_attempt_at, ?)"
        " WHERE eid = ? AND address = ? AND stage IN ('pending', 'sending')",
        (copy.at, copy.eid, copy.address),
    )
    return True


def _mark_sending(db: Transaction, notification_id: int, at: float) -> None:
    db.execute(
        "UPDATE notifications SET stage = 'sending', last_attempt_at = ? WHERE id = ?", (at, notification_id)
    )
