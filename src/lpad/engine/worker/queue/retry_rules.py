"""The consequence of a download's error: another attempt at a certain time, or the end.

The class of the error decides, following SGP.22 v2.5, 5.2.6 and SGP.22 v3.1, 2.5.6.1. An error that only a
user can correct ends the download immediately, with the remedy in its sentence.
"""

from __future__ import annotations

import enum
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from lpad.base.backoff import Backoff
from lpad.base.errors import (
    CardBusy,
    CardRefused,
    CardUnreachable,
    ClockNotSet,
    JournalUnavailable,
    ServerFailed,
    ServerMalformed,
    ServerRefused,
    ServerUnreachable,
    ServerUntrusted,
)
from lpad.base.frozen import Frozen
from lpad.codec.server_status_codes import Remedy
from lpad.engine.change.change import Failure, Pause, PauseReason, now
from lpad.engine.change.notes import DownloadNotes, Notes, noting
from lpad.engine.change.params import DownloadParams

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lpad.base.errors import LpadError
    from lpad.engine.change.change import Change
    from lpad.engine.change.notes import Noting
    from lpad.engine.change.steady_clock import Moment
    from lpad.engine.running.elapsed_retry_time import TriedTime


class Course(enum.StrEnum):
    """The courses of action after an error."""

    STOP = "stop"  # no repetition helps
    ANEW = "anew"  # immediately with a new session, once
    NETWORK = "network"  # after a while, or when there is a network again
    SERVER = "server"  # after a while
    GARBLED = "garbled"  # after a while, a limited number of times: another server may have answered
    CARD = "card"  # when the card is back, a limited number of times
    JOURNAL = "journal"  # when the journal can be written
    TIME = "time"  # when the clock was set


BACKOFF: Mapping[Course, Backoff] = {
    Course.NETWORK: Backoff((5, 15, 30, 60, 120, 300, 600, 1800, 3600)),
    Course.SERVER: Backoff((30, 60, 300, 900, 1800, 3600)),
    Course.GARBLED: Backoff((30, 300, 1800)),
    Course.CARD: Backoff((5, 30, 120, 300, 900)),
    # A waiting change is informed of the event; this pause covers a missed event.
    Course.JOURNAL: Backoff((60, 300, 900)),
    Course.TIME: Backoff((600, 3600)),
}
LONGEST = max(backoff.longest for backoff in BACKOFF.values())

TRIES: Mapping[Course, int] = {Course.ANEW: 1, Course.GARBLED: 3, Course.CARD: 5}
"""The maximum number of times that one change takes a course of action; other courses are limited only by the
change's time."""

AFTER_SWITCH = 120.0
"""The minimum number of seconds for which an overtaken download is retried while its server is unreachable:
the switch that went first has interrupted the network."""

SESSIONS = 10
"""The maximum number of attempts in which the server received the order. The server counts them, too, and
ends the order at its own limit (8.8.5/6.4); this limit is for servers that do not count."""

_REASONS: Mapping[Course, PauseReason] = {
    Course.NETWORK: PauseReason.NETWORK,
    Course.CARD: PauseReason.CARD,
    Course.JOURNAL: PauseReason.JOURNAL,
    Course.TIME: PauseReason.TIME,
}
"""The reason shown while a change waits; the other courses wait for the server."""

_BY_REMEDY: Mapping[Remedy, Course] = {
    Remedy.RETRY: Course.SERVER,
    Remedy.RESTART_SESSION: Course.ANEW,
    Remedy.CONFIRMATION_CODE: Course.STOP,
    Remedy.PERMANENT: Course.STOP,
}
_BY_CARDS_REASON: Mapping[str, Course] = {
    "catBusy": Course.CARD,
    "profileChangeOngoing": Course.CARD,
    "installFailedDueToInterruption": Course.CARD,
    # The card has forgotten the session, for example because its modem reset it.
    "noSessionContext": Course.ANEW,
    "invalidTransactionId": Course.ANEW,
    "euiccChallengeMismatch": Course.ANEW,
}
_DATES = ("certificate-not-yet-valid", "certificate-expired")


class Retry(Frozen, kw_only=True):
    """Another attempt: the pause before the attempt, and the notes for the next decision."""

    pause: Pause
    notes: Noting


def course_of(error: LpadError, *, synchronised: bool = True) -> Course:  # noqa: PLR0911 - one return for each class of error
    """Return the course of action after an error."""
    if isinstance(error, ClockNotSet):
        return Course.TIME
    if isinstance(error, JournalUnavailable):
        return Course.JOURNAL
    if isinstance(error, ServerRefused):
        return _BY_REMEDY[Remedy(str(error.details["remedy"]))]
    if isinstance(error, ServerUnreachable):
        if not error.retryable:
            return Course.STOP
        return Course.SERVER if "http_status" in error.details else Course.NETWORK
    if isinstance(error, ServerFailed):
        return Course.SERVER
    if isinstance(error, ServerMalformed):
        return Course.GARBLED if error.retryable else Course.STOP
    if isinstance(error, ServerUntrusted):
        cause = error.details.get("cause")
        doubtful = cause == "clock-not-set" or (is_of_dates(error) and not synchronised)
        return Course.TIME if doubtful else Course.STOP
    if isinstance(error, CardRefused):
        return _BY_CARDS_REASON.get(str(error.details.get("reason")), Course.STOP)
    return Course.CARD if isinstance(error, CardUnreachable | CardBusy) else Course.STOP


def retry_after(
    change: Change,
    error: LpadError,
    *,
    notes: DownloadNotes,
    tried: TriedTime,
    moment: Moment,
    card_there: bool = True,
    synchronised: bool = True,
) -> Retry | None:
    """Return the next attempt of a failed change; None if the change ends.

    Args:
        change: a download; its `retry_for` is the number of seconds for which it is tried; with `when_online`
            it is tried until it is cancelled.
        card_there: whether the card is usable; otherwise lpad waits for it within the change's time.
        synchronised: whether a time server has set the device's clock.
    """
    course = course_of(error, synchronised=synchronised)
    asked = change.params_of(DownloadParams)
    patient, limit = asked.when_online, asked.retry_for or 0.0
    if change.overtaken and course is Course.NETWORK:
        limit = max(limit, AFTER_SWITCH)
    if course is Course.STOP or not (patient or limit):
        return None
    absent = course is Course.CARD and not card_there
    taken = notes.tried.get(course, 0) + (0 if absent else 1)
    if taken > TRIES.get(course, taken) or (notes.sessions or 0) >= SESSIONS:
        return None
    unset = is_clock_unset(error)
    endless = unset or (patient and (absent or course is Course.NETWORK))
    left = max(0.0, limit - tried.spent)
    anew = course is Course.ANEW
    wait = left if absent else 0.0 if anew else BACKOFF[course].after(taken)
    if not endless:
        if tried.spent > limit or (wait > 0 and left <= 0):
            return None
        wait = min(wait, left)  # the last attempt is at the end of the time, or when the awaited event occurs
    # A pause that only the set clock or the returning card ends has no `retry_at`.
    at_once_when_it_comes = isinstance(error, ClockNotSet) or (absent and patient)
    present = now()
    noted = noting(
        DownloadNotes,
        tried={**notes.tried, course.value: taken},
        due=None if at_once_when_it_comes else moment.steady + wait,
    )
    if tried.begun or not unset:  # while the clock is not set, no attempt is made
        noted |= tried.noted(moment.ran, counts=not (patient and course is Course.NETWORK))
    return Retry(
        pause=Pause(
            reason=_REASONS.get(course, PauseReason.SERVER),
            since=present,
            retry_at=None if at_once_when_it_comes else present + timedelta(seconds=wait),
            error=Failure.of(error),
        ),
        notes=noted,
    )


def is_of_dates(error: LpadError) -> bool:
    """Return whether lpad refused a certificate for its dates, so that a wrong clock may be the cause."""
    return (
        isinstance(error, ServerUntrusted)
        and error.details.get("cause") in _DATES
        and not error.details.get("certain")
    )


def doubted(error: LpadError, *, wall: float) -> ServerUntrusted:
    """Return the error about a certificate's dates in the form for an unconfirmed clock."""
    finding, date = error.sentence.partition(";")[0], datetime.fromtimestamp(wall, UTC)
    return ServerUntrusted(
        f"{finding} by this device's clock, which shows {date:%Y-%m-%d} and which no time server has"
        " confirmed; check that date: if it is right, the server's operator must renew the certificate; if it"
        " is wrong, set the clock, and lpad tries again immediately",
        **error.details,
    )


def is_clock_unset(error: LpadError) -> bool:
    """Return whether an attempt was not begun, or failed without proof, because the clock is not set."""
    return isinstance(error, ClockNotSet) or (
        isinstance(error, ServerUntrusted) and error.details.get("cause") == "clock-not-set"
    )


def retry_after_stop(change: Change, error: LpadError) -> Retry | None:
    """Return an attempt at the next start for a download cut off by the end of lpad; None without retries."""
    asked = change.params_of(DownloadParams)
    if not (asked.when_online or asked.retry_for):
        return None
    present = now()
    pause = Pause(reason=PauseReason.RESTART, since=present, retry_at=present, error=Failure.of(error))
    return Retry(pause=pause, notes=noting(Notes, due=None))
