"""Unattended discovery: when to ask the SM-DSs, and the downloads of wanted events, one by one.

Each query and each download is a change like any other. The time of the next query is stored before a query
begins, so that a device that keeps restarting does not ask the servers each time.
"""

from __future__ import annotations

import logging
import random
import time
from typing import TYPE_CHECKING

import msgspec

from lpad.base.errors import LpadError, NotFound
from lpad.base.redaction import redacted
from lpad.engine.change.change import DISCOVERY, EID, Kind, State
from lpad.engine.change.params import DiscoverParams, DownloadParams, EventParams, GuardParams
from lpad.engine.discovery.smds_event_states import EventState, after_downloads, next_wanted, to_enable
from lpad.engine.discovery.smds_event_store import PATIENCE, WITHOUT_NETWORK, is_unsent
from lpad.engine.policy.discovery import Install
from lpad.engine.snapshot.snapshot import CardState
from lpad.engine.unattended.unattended_attempt_base import OwnAttempts

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.engine.change.change import Change, Failure
    from lpad.engine.change.steady_clock import Moment
    from lpad.engine.discovery.smds_event_states import KnownEvent
    from lpad.engine.discovery.smds_event_store import EventStore
    from lpad.engine.journal import Journal
    from lpad.engine.policy.discovery import DiscoveryPolicy
    from lpad.engine.running.card.card_with_open_link import Card
    from lpad.engine.running.change_store import ChangeStore
    from lpad.engine.running.operation_context import Timeouts
    from lpad.engine.snapshot.snapshot import Snapshot

log = logging.getLogger(__name__)

LONGEST_WAIT = 31 * 86_400.0
"""The maximum number of seconds until the next planned discovery."""
OVERDUE = 60.0
"""Seconds after which a discovery is overdue: the device was off, perhaps with the whole fleet."""
BEFORE_OTHERS = 600.0
"""Seconds for which a download is retried while other events wait for their turn."""
_RECENT = 50
"""The number of recent changes in which lpad searches for downloads of events."""
_OPEN = (EventState.WANTED, EventState.DOWNLOADING)


class DiscoveryTime(msgspec.Struct, frozen=True, kw_only=True):
    """The time of a card's next discovery, on the journal's steady clock.

    Attributes:
        next_at: the time of the next discovery.
        change: the number of the latest discovery; None: its result is known.
        failures: the number of consecutive discoveries that failed.
    """

    next_at: float
    change: int | None = None
    failures: int = 0


class DiscoveredEvents(OwnAttempts):
    """The decisions about discoveries, and about the downloads of their events."""

    def __init__(
        self,
        card: Card,
        *,
        store: ChangeStore,
        journal: Journal,
        events: EventStore,
        timeouts: Timeouts,
        submit: Callable[[Change], None],
    ) -> None:
        """Create the object; `events` keeps the events that the SM-DSs listed."""
        super().__init__(card, store=store, journal=journal, timeouts=timeouts, submit=submit)
        self._events = events

    def busy(self, eid: str) -> bool:
        """Return whether a card's event is being or will be downloaded."""
        return any(each.state in _OPEN for each in self._events.known(eid))

    def look(self, card: Snapshot) -> None:
        """Determine, after the card was read or a change has ended, the next discovery or download."""
        self._due_at = None
        if card.state is not CardState.READY or card.eid is None:
            return
        known = self._settled(card.eid)
        if next_wanted(known) is not None:
            self._due_at = time.monotonic()
            return
        policy = self._card.port.discovery
        if policy.every is None or any(each.state in _OPEN for each in known) or self._asking():
            return
        present = self._journal.clock.now()
        planned = self._planned(card.eid, policy, policy.every, present)
        self._due_at = time.monotonic() + present.until(planned.next_at, longest=LONGEST_WAIT)

    def begin(self, card: Snapshot) -> None:
        """Begin the next download or discovery; before a discovery, store the time of the following one."""
        self._due_at = None
        if card.eid is None:
            return
        known = self._settled(card.eid)
        event = next_wanted(known)
        try:
            if event is not None:
                params: DownloadParams | DiscoverParams = self._download(event, known)
                log.info("%s: downloading from %s, because of an SM-DS's event", card.name, event.server)
            else:
                policy = self._card.port.discovery
                if policy.every is None:
                    return
                present = self._journal.clock.now()
                before = self._journal.memos.get(_name(card.eid), DiscoveryTime)
                failures = before.failures if before is not None else 0
                planned = DiscoveryTime(next_at=present.steady + policy.every, failures=failures)
                self._journal.memos.put(_name(card.eid), planned)
                params = discovery_of(policy)
                log.info("%s: asking the SM-DSs whether a profile waits", card.name)
            change = self._store.add(card.name, params, secrets={EID: card.eid}, origin=DISCOVERY)
            if event is None:
                self._journal.memos.put(_name(card.eid), msgspec.structs.replace(planned, change=change.id))
        except LpadError as error:
            log.warning("%s: cannot discover now: %s (%s)", card.name, error, error.kind)
            self._postpone()
            return
        self._submit(change)

    def _planned(self, eid: str, policy: DiscoveryPolicy, every: float, present: Moment) -> DiscoveryTime:
        """Return the time of the next discovery, which is stored when it changes."""
        known = self._journal.memos.get(_name(eid), DiscoveryTime)
        error = self._error_of(known.change) if known is not None and known.change is not None else None
        planned = next_time(
            known,
            every=every,
            jitter=policy.jitter,
            failed=error is not None,
            unsent=error is not None and is_unsent(error),
            now=present.steady,
        )
        if planned == known:
            return planned
        try:
            self._journal.memos.put(_name(eid), planned)
        except LpadError as error:
            log.debug("the time of the next discovery is not stored: %s (%s)", error, error.kind)
        return planned

    def _error_of(self, change_id: int) -> Failure | None:
        """Return why a discovery failed; None: the discovery did not fail."""
        try:
            change = self._store.change(change_id)
        except NotFound:
            return None
        return change.error if change.state is State.FAILED else None

    def _settled(self, eid: str) -> tuple[KnownEvent, ...]:
        """Return the known events with the results of the downloads that have ended, and store them."""
        known = self._events.known(eid)
        if not known:
            return known
        changes = self._store.changes(euicc=self._card.port.name, limit=_RECENT)
        settled = after_downloads(known, changes, at=self._journal.clock.now())
        try:
            self._events.put(eid, settled)
        except LpadError as error:
            log.debug("the results of downloads are stored later: %s (%s)", error, error.kind)
        return settled

    def _download(self, event: KnownEvent, known: tuple[KnownEvent, ...]) -> DownloadParams:
        provisioning = self._card.port.provisioning
        enable = to_enable(event, known)
        guarded = enable and bool(provisioning.until)
        others = any(each.state is EventState.WANTED and each.key != event.key for each in known)
        return DownloadParams(
            confirm=event.confirm,
            enable=enable,
            guard=GuardParams(until=provisioning.until, within=provisioning.within) if guarded else None,
            # An unreachable server or an unreleased profile must not delay the next event.
            when_online=not others,
            retry_for=min(self._timeouts.retry, BEFORE_OTHERS) if others else self._timeouts.retry,
            server=event.server,
            matching_id=redacted(event.event_id),
            event=EventParams(server=event.server, event_id=event.event_id),
        )

    def _asking(self) -> bool:
        return any(
            change.kind is Kind.DISCOVER and change.euicc == self._card.port.name
            for change in self._store.unended()
        )


def discovery_of(policy: DiscoveryPolicy) -> DiscoverParams:
    """Return the request for an unattended discovery."""
    return DiscoverParams(install=policy.install is not Install.NEVER, confirm=policy.install is Install.ASK)


def next_time(
    known: DiscoveryTime | None,
    *,
    every: float,
    jitter: float,
    failed: bool,
    unsent: bool = False,
    now: float,
) -> DiscoveryTime:
    """Return the time of a card's next discovery, spread so that a fleet does not ask at the same moment.

    The first discovery is at a random time within a period, and later ones are at the same time within their
    periods. After a failure lpad asks earlier, at growing intervals. A discovery that is overdue is delayed
    by a random time.

    Args:
        known: the planned time; None: no discovery was planned.
        every: the seconds of a period.
        jitter: the maximum number of seconds of a delay.
        failed: whether the discovery that was begun last has failed.
        unsent: whether the discovery failed before it asked a server; such a failure makes no later wait
        longer.
        now: the present, on the steady clock.
    """
    if known is None:
        return DiscoveryTime(next_at=now + random.uniform(0, every))  # noqa: S311 - spreads load, no secret
    if failed:
        failures = known.failures if unsent else known.failures + 1
        again = now + min(every, WITHOUT_NETWORK.after(1) if unsent else PATIENCE.after(failures))
        return DiscoveryTime(next_at=min(known.next_at, again), failures=failures)
    if known.change is not None:
        return DiscoveryTime(next_at=known.next_at)
    if known.next_at < now - OVERDUE:
        later = now + random.uniform(0, jitter)  # noqa: S311 - spreads load, no secret
        return msgspec.structs.replace(known, next_at=later)
    if known.next_at > now + every:  # the settings have a shorter period now
        return msgspec.structs.replace(known, next_at=now + random.uniform(0, every))  # noqa: S311 - spreads load, no secret
    return known


def _name(eid: str) -> str:
    return f"discovery {eid}"
