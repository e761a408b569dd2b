"""The servers' side of the outbox: delivers one recipient's queue and records the results."""

from __future__ import annotations

import logging
from contextlib import nullcontext
from typing import TYPE_CHECKING

from lpad.base.backoff import Backoff
from lpad.base.deadline import Deadline
from lpad.base.errors import (
    Cancelled,
    InternalError,
    InvalidValue,
    JournalUnavailable,
    LpadError,
    ServerError,
    ServerMalformed,
    ServerRefused,
    ServerUnreachable,
    internal_error,
)
from lpad.base.identifiers import Iccid
from lpad.codec.server_status_codes import Remedy
from lpad.engine.journal.notifications import Stage
from lpad.engine.outbox.notification_events import set_aside, tell
from lpad.lpa import notification_delivery
from lpad.lpa.notification_delivery import PendingNotification

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from lpad.base.cancellation import Cancellation
    from lpad.base.server_address import ServerAddress
    from lpad.engine.change.event_subscriptions import Hub
    from lpad.engine.change.steady_clock import Moment
    from lpad.engine.environment.server_retry_signal import ServerReachability
    from lpad.engine.journal import Journal, StoredNotification
    from lpad.remote.es9plus import Es9Plus

    Connect = Callable[[ServerAddress, str], AbstractContextManager[Es9Plus]]

log = logging.getLogger(__name__)

BACKOFF = Backoff((60, 300, 900, 3600, 3 * 3600, 6 * 3600, 12 * 3600, 24 * 3600))

REFUSALS = 5
"""The number of permanent refusals in a row after which a notification is set aside, and the number of all
attempts after which an error in lpad sets it aside."""
PATIENT_TRIES = 5
"""The number of attempts answered with an error after which later notifications may go first."""
LONGEST = 30 * 24 * 3600
"""Seconds since a server first answered a notification with an error; after them, lpad sets the notification
aside with the next such answer (see `PATIENT_TRIES`).
"""


class DeliveryRound:
    """One round of deliveries to one recipient, over one connection."""

    def __init__(
        self,
        journal: Journal,
        hub: Hub,
        connect: Connect,
        *,
        patience: float,
        reachability: ServerReachability,
        interruption: Cancellation,
        removed_next: bool = False,
    ) -> None:
        """Create a round; `run` sends the notifications.

        Args:
            connect: opens a connection, on behalf of the card with an EID.
            patience: seconds for one notification.
            reachability: learns whether a server was reached.
            interruption: ends the round; the current notification stays due, and the attempt does not count.
            removed_next: whether an open session removes accepted notifications right after the round,
                so that the last transaction also records that they are being removed.
        """
        self._journal = journal
        self._hub = hub
        self._connect = connect
        self._patience = patience
        self._reachability = reachability
        self._interruption = interruption
        self._removed_next = removed_next
        self._accepted: list[int] = []
        self.delivered = 0
        self.error: LpadError | None = None
        """The first error of the round."""

    def run(
        self, queue: list[StoredNotification], connection: tuple[ServerAddress, Es9Plus] | None = None
    ) -> None:
        """Send a queue in order, as far as possible.

        Args:
            queue: one card's notifications for one recipient, in ascending order; not empty.
            connection: an open connection, used if it leads to the recipient; None: there is none.

        Raises:
            JournalUnavailable: the next step cannot be written first, so it was not taken.
            Cancelled: the delivery was interrupted.
        """
        left = list(queue)
        try:
            recipient = pending(left[0]).recipient
            opened: AbstractContextManager[Es9Plus]
            if connection is not None and connection[0] == recipient:
                opened = nullcontext(connection[1])
            else:
                opened = self._connect(recipient, left[0].eid)
            with opened as server:
                marked = is_marked(left[0])
                while left:
                    marked = self._send(left, server, marked=marked)
                    left.pop(0)
        except (JournalUnavailable, Cancelled):
            raise
        except LpadError as error:
            self._failed(left, error)
        except Exception as error:
            log.exception("notification %d: internal-error", left[0].seq)
            self._failed(left, internal_error("the delivery", error))

    def _send(self, left: list[StoredNotification], server: Es9Plus, *, marked: bool) -> bool:
        """Send the first notification; raise errors that also concern the later ones.

        Args:
            left: the notifications that are not sent yet.
            server: their recipient.
            marked: whether the journal has already marked the first one as being sent.

        Returns:
            Whether the next notification is already marked as being sent: one transaction records that this
            notification was accepted, and marks the next one.
        """
        deadline = Deadline.after(self._patience, cancellation=self._interruption)
        deadline.check()
        if not marked:
            self._journal.notifications.mark_sending(left[0].id, at=self._journal.clock.now().steady)
        try:
            notification_delivery.deliver(pending(left[0]), server, deadline=deadline)
        except ServerError as error:
            if not passes_by(left[0], error):
                raise
            self._failed(left[:1], error, passed=True)
        except LpadError:
            raise
        except Exception as error:
            # A fault in lpad, or a copy that the disk has damaged: later notifications are still sent.
            log.exception("notification %d: internal-error", left[0].seq)
            self._failed(left[:1], internal_error("the delivery", error), passed=True)
        else:
            following = (left[1].id, self._journal.clock.now().steady) if len(left) > 1 else None
            self._accepted.append(left[0].id)
            removing = self._accepted if self._removed_next and following is None else ()
            self._journal.notifications.mark_delivered(left[0].id, sending=following, removing=removing)
            self.delivered += 1
            tell(self._hub, "delivered", left[0])
            self._reachability.reached()
            return following is not None
        return False

    def _failed(self, queue: list[StoredNotification], error: LpadError, *, passed: bool = False) -> None:
        """Record the failure of the first notification; the queue waits, unless later ones may go first."""
        self.error = self.error or error
        if isinstance(error, ServerUnreachable) and "http_status" not in error.details:
            self._reachability.missed()
        first = queue[0]
        wait = BACKOFF.after(first.attempts + 1)
        moment = self._journal.clock.now()
        aside = is_set_aside(first, error, at=moment)
        self._journal.notifications.mark_failed(
            first.id,
            error=f"{error.kind}: {error.sentence}",
            next_attempt_at=moment.steady + wait,
            answered_at=moment.steady if is_answer(error) else None,
            refused=passed,
            set_aside=aside,
            postponed=[] if aside else [stored.id for stored in queue[1:]],
            happenings=[set_aside(first, error)] if aside else [],
        )
        if aside:
            tell(self._hub, "set-aside", first, error=error.kind)
        else:
            tell(self._hub, "failed", first, error=error.kind, next_attempt_in=round(wait))


def is_marked(stored: StoredNotification) -> bool:
    """Return whether a copy was stored as being sent, so that its first attempt need not be written."""
    return stored.stage is Stage.SENDING and stored.last_attempt_at == stored.stored_at


def passes_by(stored: StoredNotification, error: LpadError) -> bool:
    """Return whether later notifications are sent although `stored` was not accepted.

    A notification that the server never accepts must not block the others. Some servers answer HTTP 500 to
    unreadable notifications, which at first looks like a server failure.
    """
    if isinstance(error, ServerRefused):
        return True
    # Only answers count, so that a queue that waited for a network for days keeps its order after a brief
    # failure.
    return is_answer(error) and stored.answered + 1 >= PATIENT_TRIES


def is_answer(error: LpadError) -> bool:
    """Return whether a server was reached and answered with an error."""
    status = error.details.get("http_status")
    answered = isinstance(status, int) and not 300 <= status < 400  # redirections come from captive portals
    return answered or isinstance(error, ServerRefused | ServerMalformed)


def is_set_aside(stored: StoredNotification, error: LpadError, *, at: Moment) -> bool:
    """Return whether lpad gives up a notification, such as one that its server always refuses."""
    if isinstance(error, InvalidValue):
        return True
    if isinstance(error, InternalError):
        return stored.attempts + 1 >= REFUSALS
    if isinstance(error, ServerRefused) and error.details["remedy"] != Remedy.RETRY:
        return stored.refusals + 1 >= REFUSALS
    # Only answers count, and only the time since the first answer, because before that there may have been no
    # network.
    enough = is_answer(error) and stored.answered + 1 >= PATIENT_TRIES
    return enough and stored.answered_since is not None and at.since(stored.answered_since) > LONGEST


def pending(stored: StoredNotification) -> PendingNotification:
    """Return a copy in the form for sending."""
    return PendingNotification(
        sequence_number=stored.seq,
        event=stored.event,
        address=stored.address,
        iccid=Iccid(stored.iccid) if stored.iccid else None,
        payload=stored.raw,
    )
