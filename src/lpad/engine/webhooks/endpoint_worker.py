"""One endpoint's thread: sends the endpoint's events in order, with pauses between failed attempts.

No other thread waits for this thread, which reads the outbox and stores its progress in the journal.
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec.structs import replace

from lpad.base.cancellation import Cancellation
from lpad.base.errors import Cancelled, JournalUnavailable, LpadError
from lpad.base.liveness import resting, watched
from lpad.engine.events import event_types
from lpad.engine.events.cloud_event import Event, EventBody
from lpad.engine.events.event_data import EndpointTestData
from lpad.engine.events.happening import Happening
from lpad.engine.webhooks.delivery_attempt import Outcome, Verdict, attempt
from lpad.engine.webhooks.endpoint_progress import BACKOFF, PATIENCE, Progress, Standing

if TYPE_CHECKING:
    from lpad.base.deadline import Deadline
    from lpad.engine.environment.clock_and_network import Environment
    from lpad.engine.journal import Journal
    from lpad.engine.webhooks.endpoint import Endpoint
    from lpad.remote.https.connection import HttpsConnection

log = logging.getLogger(__name__)

AT_ONCE = 50
"""The maximum number of events that are read from the disk in one query."""
UNREADABLE = 60.0
"""Seconds until the journal is read again after a failure to read it."""
REST = 60.0
"""Seconds after an attempt during which the return of the network causes no further attempt."""
PREFIX = "webhook:"


class EndpointWorker:
    """Sends events to one endpoint."""

    def __init__(self, endpoint: Endpoint, journal: Journal, environment: Environment) -> None:
        """Create a worker that continues at the endpoint's position; a new endpoint gets only later events.

        Raises:
            JournalUnavailable: the journal cannot be read.
        """
        self.endpoint = endpoint
        self._journal = journal
        self._environment = environment
        self._state = threading.RLock()
        self._condition = threading.Condition()
        self._awake = True
        self._stop = Cancellation()
        self._connection: HttpsConnection | None = None
        known = journal.memos.get(PREFIX + endpoint.name, Progress)
        self._unkept = known is None
        if known is None:
            known = Progress(position=journal.events.last(), address=endpoint.digest)
        elif known.address != endpoint.digest:  # a new address starts without failures
            ended = known.standing is Standing.ENDED
            known = replace(
                known.fresh(),
                address=endpoint.digest,
                standing=Standing.ACTIVE if ended else known.standing,
            )
        self._progress = known
        if self._unkept:
            self._note(known)  # without this record, a restart would skip earlier events
        self._skipped = known.position
        self._forget = journal.events.on_news(self.wake)
        self._thread = threading.Thread(target=self._run, name=f"webhook {endpoint.name}", daemon=True)

    def start(self) -> None:
        """Start the thread that sends events."""
        self._thread.start()

    def stop(self) -> None:
        """Have the thread end, without waiting for an answer of the endpoint."""
        self._forget()
        self._stop.cancel("lpad was stopped, or the endpoint has other settings")
        self.wake()

    def join(self, *, deadline: Deadline) -> None:
        """Wait until the thread has ended."""
        if self._thread.is_alive():
            self._thread.join(deadline.remaining())

    @property
    def alive(self) -> bool:
        """Whether the endpoint's thread runs."""
        return self._thread.is_alive()

    @property
    def progress(self) -> Progress:
        """The endpoint's progress."""
        return self._progress

    def wake(self) -> None:
        """Make the thread check for events now; return immediately."""
        with self._condition:
            self._awake = True
            self._condition.notify_all()

    def network_is_back(self) -> None:
        """Try again now if the endpoint could not be reached, unless it was just tried."""
        with self._state:
            progress = self._progress
            tried_at = progress.tried_at or 0.0
            rested = self._journal.clock.now().ran - tried_at >= REST
            if progress.due is not None and progress.last_status is None and rested:
                self._progress = replace(progress, due=None)
        self.wake()

    def awaits(self, sequence: int, type_: str) -> bool:
        """Return whether the endpoint has yet to get an event."""
        progress = self._progress
        if progress.standing is Standing.ENDED or not self.endpoint.wants(type_):
            return False
        return sequence > progress.position or sequence in (*progress.again, *progress.unreached)

    def pending(self) -> int:
        """Return the number of waiting events; the events are read from the disk for this.

        Raises:
            JournalUnavailable: the journal cannot be read.
        """
        progress = self._progress
        if progress.standing is Standing.ENDED:
            return 0
        later = self._journal.events.after(progress.position, limit=1_000_000)
        return len(progress.again) + sum(self.endpoint.wants(each.type) for each in later)

    def pause(self) -> None:
        """Send nothing until `resume`.

        Raises:
            JournalUnavailable: the journal cannot be written.
        """
        with self._state:
            self._keep(replace(self._progress, standing=Standing.PAUSED))

    def resume(self) -> None:
        """Continue to send, even if the endpoint has ended the delivery, and try immediately.

        Raises:
            JournalUnavailable: the journal cannot be written.
        """
        with self._state:
            self._keep(replace(self._progress, standing=Standing.ACTIVE, due=None))
        self.wake()

    def redeliver(self, sequences: tuple[int, ...] | None = None) -> int:
        """Have events sent again, before all others; without numbers, all set-aside and unreached events.

        Returns: The number of these events.

        Raises:
            JournalUnavailable: the journal cannot be written.
        """
        with self._state:
            progress = self._progress
            wanted = (*progress.unreached, *progress.set_aside) if sequences is None else sequences
            new = sorted({*wanted} - {*progress.again})
            self._keep(
                replace(
                    progress.fresh() if not progress.again else progress,
                    again=(*progress.again, *new),
                    set_aside=tuple(each for each in progress.set_aside if each not in new),
                    unreached=tuple(each for each in progress.unreached if each not in new),
                )
            )
        self.wake()
        return len(new)

    def test(self) -> Outcome:
        """Send a test event now, in the calling thread; the event is not in the outbox and has no number.

        Raises:
            Cancelled: lpad is stopping.
            InvalidSettings: the event cannot be signed.
        """
        data = EndpointTestData(endpoint=self.endpoint.name)
        happening = Happening(type=event_types.EVENTS_TEST, data=data)
        event = Event(
            sequence=0,
            type=happening.type.name,
            droppable=True,
            body=EventBody.of(happening, source=self._journal.events.source()),
        )
        connection = self.endpoint.open(self.endpoint.url)
        try:
            return attempt(self.endpoint, event, connection, cancellation=self._stop)
        finally:
            connection.close()

    def _run(self) -> None:
        with watched(f"webhook {self.endpoint.name}"):
            while not self._stop.cancelled:
                try:
                    wait = self._send_due()
                except Cancelled:
                    break
                except JournalUnavailable as error:
                    log.debug("webhook %s: %s", self.endpoint.name, error)
                    wait = UNREADABLE
                except Exception:
                    # Nothing may end this thread, because then events would never be sent.
                    log.exception("webhook %s: internal-error", self.endpoint.name)
                    wait = UNREADABLE
                self._wait(wait)
        self._close()

    def _wait(self, seconds: float | None) -> None:
        deadline = None if seconds is None else time.monotonic() + seconds
        with self._condition, resting():
            while not (self._awake or self._stop.cancelled):
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    break
                self._condition.wait(left)
            self._awake = False

    def _send_due(self) -> float | None:
        """Send the due events; return the seconds to wait; None: until the next wake-up."""
        while not self._stop.cancelled:
            if self._unkept:
                with self._state:
                    self._keep(self._progress)
            if self._progress.standing is not Standing.ACTIVE:
                self._close()
                return None
            event = self._next()
            if event is None:
                self._close()
                return None
            if not self._environment.clock.is_set:
                # With a wrong clock, TLS would fail, and the endpoint would refuse the signature's time
                self._environment.clock.await_set()
                return None
            due = self._progress.due
            if due is not None:
                wait = self._journal.clock.now().until(due, longest=BACKOFF.longest)
                if wait > 0:
                    self._close()
                    return wait
            self._send(event)
        return None

    def _next(self) -> Event | None:
        """Return the next event to send; None: there is none."""
        for sequence in self._progress.again:
            found = self._journal.events.get(sequence)
            if found is not None:
                return found
            with self._state:
                self._keep(self._progress.past(sequence))  # the outbox has dropped the event
        position = max(self._progress.position, self._skipped)
        while True:
            later = self._journal.events.after(position, limit=AT_ONCE)
            for event in later:
                if self.endpoint.wants(event.type):
                    return event
                position = self._skipped = event.sequence
            if len(later) < AT_ONCE:
                return None

    def _send(self, event: Event) -> None:
        if self._connection is None:
            self._connection = self.endpoint.open(self.endpoint.url)
        outcome = attempt(self.endpoint, event, self._connection, cancellation=self._stop)
        self._stop.check()  # another worker may already serve the endpoint
        with self._state:
            self._note(self._after(event, outcome, self._progress))

    def _after(self, event: Event, outcome: Outcome, before: Progress) -> Progress:
        """Return the progress after an attempt, and log the important outcomes."""
        name, told, status = self.endpoint.name, outcome.told, outcome.status
        if outcome.verdict is Verdict.ACCEPTED:
            if before.attempts:
                log.info("webhook %s: the endpoint accepts events again", name)
            return before.accepted(event.sequence, told=told, status=status)
        if outcome.verdict is Verdict.GONE:
            log.warning("webhook %s: the endpoint answers HTTP 410, so lpad sends no more events", name)
            return replace(before.fresh(), standing=Standing.ENDED, last=told, last_status=status)
        if before.last != told or not before.attempts:
            log.warning("webhook %s: event %d was not accepted: %s", name, event.sequence, told)
        moment = self._journal.clock.now()
        wait = max(BACKOFF.after(before.attempts + 1), outcome.wait or 0)
        failed = before.failed(
            ran=moment.ran, due=moment.steady + wait, told=told, status=status, waits=outcome.wait is not None
        )
        if failed.spent < PATIENCE:
            return failed
        log.error("webhook %s: event %d is set aside: %s", name, event.sequence, told)
        return failed.gave_up(event.sequence)

    def _note(self, progress: Progress) -> None:
        """Store an outcome; if that fails, lpad repeats the event with the same ID after a restart."""
        self._progress = progress
        with suppress(LpadError):
            self._keep(progress)

    def _keep(self, progress: Progress) -> None:
        self._journal.memos.put(PREFIX + self.endpoint.name, progress)
        self._progress = progress
        self._unkept = False

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
