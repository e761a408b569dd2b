"""The hub that carries events from the workers to the listeners, without ever blocking a worker."""

from __future__ import annotations

import logging
import secrets
import threading
from collections import deque
from typing import TYPE_CHECKING

from lpad.base.frozen import Frozen
from lpad.base.lazy_pattern import LazyPattern
from lpad.base.untrusted_number import matched_number

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.engine.change.change import Json

log = logging.getLogger(__name__)

REMEMBERED = 512
"""The number of events kept for listeners that reconnect with the ID of the last event that they saw."""

PATIENCE = 256
"""The maximum number of events that are queued for a slow listener."""

PROGRESS = frozenset({"progress"})
"""The type of the events that report a download's bytes, up to a hundred for each download."""

_ID = LazyPattern(r"[0-9a-f]{6}-[0-9]{1,18}")


class Event(Frozen, kw_only=True):
    """One event: its ID, type, card, change and data."""

    id: str
    type: str
    euicc: str | None
    change: int | None
    data: dict[str, Json]


class Subscription:
    """One listener's bounded queue; `wake` is called, from any thread, when there are events."""

    def __init__(
        self, hub: Hub, wake: Callable[[], None], *, start: str, ignored: frozenset[str] = frozenset()
    ) -> None:
        self.start = start
        """The ID of the last event before this listener's first one."""
        self._hub = hub
        self._wake = wake
        self._ignored = ignored
        self._lock = threading.Lock()
        self._events: deque[Event] = deque()
        self._lost = 0

    def put(self, event: Event) -> None:
        """Queue an event, unless the listener ignores its type; if the queue is full, drop the oldest."""
        if event.type in self._ignored:
            return
        with self._lock:
            self._events.append(event)
            if len(self._events) > PATIENCE:
                self._events.popleft()
                self._lost += 1
        try:
            self._wake()
        except Exception:  # a listener must not harm its publisher, which may be in the middle of a switch
            log.exception("cannot wake a listener: internal-error")

    def lose(self, count: int) -> None:
        """Count lost events, which the next `take` reports."""
        with self._lock:
            self._lost += count

    def take(self) -> list[Event]:
        """Return the queued events without waiting; the first is `lost` if some are missing."""
        with self._lock:
            events = list(self._events)
            self._events.clear()
            lost, self._lost = self._lost, 0
        if lost:
            first = events[0].id if events else self._hub.last_id
            events.insert(0, Event(id=first, type="lost", euicc=None, change=None, data={"count": lost}))
        return events

    def close(self) -> None:
        """Stop listening."""
        self._hub.forget(self)


class Hub:
    """Numbers events and passes them to every subscription.

    An ID consists of a token for this run of the daemon and a number, so that IDs of an earlier run are
    recognized.
    """

    def __init__(self) -> None:
        self._run = secrets.token_hex(3)
        self._lock = threading.Lock()
        self._count = 0
        self._remembered: deque[Event] = deque(maxlen=REMEMBERED)
        self._subscriptions: list[Subscription] = []
        self.on_event: Callable[[Event], None] = lambda _: None
        """Called with each event, in the publisher's thread; must return immediately and never raise."""

    @property
    def last_id(self) -> str:
        """The ID of the latest event."""
        return f"{self._run}-{self._count}"

    def publish(
        self, type_: str, data: dict[str, Json], *, euicc: str | None = None, change: int | None = None
    ) -> None:
        """Pass an event to all listeners, without waiting for them."""
        with self._lock:
            self._count += 1
            event = Event(id=self.last_id, type=type_, euicc=euicc, change=change, data=data)
            self._remembered.append(event)
            subscriptions = list(self._subscriptions)
            for subscription in subscriptions:
                subscription.put(event)
            try:
                self.on_event(event)
            except Exception:
                log.exception("an event of the type '%s': internal-error", type_)

    def subscribe(
        self, wake: Callable[[], None], *, after: str | None = None, ignored: frozenset[str] = frozenset()
    ) -> Subscription:
        """Return a subscription to the events from now on, or to those after the event with the ID `after`.

        Args:
            wake: called from any thread, even during this call; must return immediately and never raise.
            after: the ID of the last event that the listener saw; if later events are no longer kept, or the
                ID is from an earlier run, the first event is `lost`.
            ignored: types of events that the listener does not get and is not woken for.
        """
        with self._lock:
            known = after is not None and _ID.fullmatch(after)
            subscription = Subscription(
                self, wake, start=known[0] if known else self.last_id, ignored=ignored
            )
            if after is not None:
                self._replay(subscription, after if known else "")
            self._subscriptions.append(subscription)
        return subscription

    def forget(self, subscription: Subscription) -> None:
        """Drop a subscription; dropping it twice is allowed."""
        with self._lock:
            if subscription in self._subscriptions:
                self._subscriptions.remove(subscription)

    def _replay(self, subscription: Subscription, after: str) -> None:
        run, _, number = after.partition("-")
        seen = matched_number(number) if run == self._run else -1
        if not 0 <= seen <= self._count:
            subscription.lose(max(1, self._count - len(self._remembered)))
            seen = 0
        else:
            subscription.lose(max(0, self._count - len(self._remembered) - seen))
        first = self._count - len(self._remembered)
        for number_before, event in enumerate(self._remembered, start=first):
            if number_before >= seen:
                subscription.put(event)
