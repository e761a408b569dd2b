"""The known events of SM-DSs for a card, each with its result.

    listed ──► wanted ──► downloading ──► installed
    forbidden               ▲      └─────► failed ──► wanted, at a later discovery
                            └ also by a caller's download of the event

An SM-DP+ deletes an event after the notification of the installation, which can take hours. So lpad may
already have handled a listed event; only this record shows it. Ages are on the steady clock.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from lpad.base.backoff import Backoff
from lpad.engine.change.change import State
from lpad.engine.change.params import DownloadParams, ProvisionParams

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from lpad.engine.change.change import Change
    from lpad.engine.change.steady_clock import Moment
    from lpad.lpa.discovery import Discovered

MOST_ATTEMPTS = 5
"""After this many failed attempts to download an event's profile, lpad tries again only on request."""
RETRY = Backoff((3600, 4 * 3600, 12 * 3600, 24 * 3600))
"""Seconds until a failed event may be tried again, by the number of failed downloads."""
REMEMBERED = 30 * 86_400.0
"""Seconds for which lpad remembers a handled event that is no longer listed."""
MOST_EVENTS = 256
"""The maximum number of events that lpad remembers for a card."""


class EventState(StrEnum):
    """The states of an event."""

    LISTED = "listed"
    WANTED = "wanted"
    DOWNLOADING = "downloading"
    INSTALLED = "installed"
    FAILED = "failed"
    FORBIDDEN = "forbidden"

    @property
    def handled(self) -> bool:
        """Whether the event must be remembered, because lpad has acted on it."""
        return self in (EventState.DOWNLOADING, EventState.INSTALLED, EventState.FAILED)


class KnownEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A known event of an SM-DS.

    Attributes:
        server: the SM-DP+ that the event leads to.
        event_id: the event's ID, which is the matching ID at `server`.
        listed_by: the SM-DS that listed the event last.
        state: see `EventState`.
        discovery: the change that wants the event; the first profile that a discovery installs is enabled.
        confirm: whether lpad asks for consent before it installs the event's profile.
        change: the last download of the event's profile.
        attempts: the number of failed downloads; `MOST_ATTEMPTS` if lpad must not try again on its own.
        next_at: when a failed event may be tried again, on the steady clock.
        seen: the time at which the event was last listed, on the steady clock.
        iccid: the profile that the download installed.
        enabled: whether that profile was enabled.
        why: the reason why the event failed or is forbidden, as a sentence.
    """

    server: str
    event_id: str
    listed_by: str
    state: EventState = EventState.LISTED
    discovery: int = 0
    confirm: bool = False
    change: int | None = None
    attempts: int = 0
    next_at: float = 0.0
    seen: float = 0.0
    iccid: str | None = None
    enabled: bool = False
    why: str | None = None

    @property
    def key(self) -> tuple[str, str]:
        """The server and the ID, which identify the event."""
        return self.server, self.event_id


def after_discovery(
    known: Iterable[KnownEvent],
    found: Discovered,
    *,
    discovery: int,
    install: bool,
    confirm: bool = False,
    unasked: bool = False,
    at: Moment,
) -> tuple[KnownEvent, ...]:
    """Return the known events after a discovery: the listed ones in their order, then the remembered ones.

    Args:
        known: the events that were known before.
        found: the result of the discovery.
        discovery: the number of the discovery's change.
        install: whether the listed events that lpad may download now become wanted; see `may_begin`.
        confirm: whether lpad asks for consent before it installs the profiles of these events.
        unasked: whether this discovery repeats earlier ones without a request. If so, a failed event still
            belongs to the discovery that wanted it first, which may have enabled another profile already.
        at: the present.
    """
    before = {each.key: each for each in known}
    listed = []
    for each in found.events:
        server, listed_by = str(each.entry.address), str(each.listed_by)
        event = before.pop((server, each.entry.event_id), None) or KnownEvent(
            server=server, event_id=each.entry.event_id, listed_by=listed_by
        )
        event = replace(event, listed_by=listed_by, seen=at.steady)
        if each.forbidden is not None and not event.state.handled:
            event = replace(event, state=EventState.FORBIDDEN, why=each.forbidden.sentence)
        elif install and may_begin(event, at):
            repeats = unasked and event.state is EventState.FAILED and event.discovery
            event = replace(
                event,
                state=EventState.WANTED,
                discovery=event.discovery if repeats else discovery,
                confirm=confirm,
                why=None,
            )
        elif event.state is EventState.FORBIDDEN:
            event = replace(event, state=EventState.LISTED, why=None)
        listed.append(event)
    answered = {str(each.address) for each in found.servers if each.error is None}
    remembered = [
        each
        for each in before.values()
        if at.since(each.seen) < REMEMBERED
        # If entries could not be read, or there were too many, a missing event may still exist.
        and (each.state.handled or found.left_off or each.listed_by not in answered)
    ]
    remembered.sort(key=lambda event: event.seen, reverse=True)
    return (*listed, *remembered)[:MOST_EVENTS]


def after_downloads(
    known: Sequence[KnownEvent], changes: Iterable[Change], *, at: Moment
) -> tuple[KnownEvent, ...]:
    """Return the known events after some of their downloads, even a caller's, have begun or ended.

    Args:
        known: the events that were known before.
        changes: the card's changes, newest first.
        at: the present.
    """
    latest: dict[tuple[str, str], Change] = {}
    orders: dict[int, Change] = {}
    for change in changes:
        if isinstance(change.params, DownloadParams) and change.params.event is not None:
            latest.setdefault((change.params.event.server, change.params.event.event_id), change)
        elif isinstance(change.params, ProvisionParams):
            orders[change.id] = change
    return tuple(_after_download(each, latest.get(each.key) or _order_of(each, orders), at) for each in known)


def begun(known: Iterable[KnownEvent], key: tuple[str, str], *, change: int) -> tuple[KnownEvent, ...]:
    """Return the known events after a change has begun to download one of them."""
    return tuple(
        replace(each, state=EventState.DOWNLOADING, change=change, why=None) if each.key == key else each
        for each in known
    )


def refused(known: Iterable[KnownEvent], key: tuple[str, str], *, why: str) -> tuple[KnownEvent, ...]:
    """Return the known events after a server has permanently refused one: lpad does not try it on its own."""
    return tuple(
        replace(each, state=EventState.FAILED, attempts=MOST_ATTEMPTS, why=why) if each.key == key else each
        for each in known
    )


def next_wanted(known: Sequence[KnownEvent]) -> KnownEvent | None:
    """Return the event to download next; None without such an event, or while a download runs."""
    if any(each.state is EventState.DOWNLOADING for each in known):
        return None
    return next((each for each in known if each.state is EventState.WANTED), None)


def to_enable(event: KnownEvent, known: Collection[KnownEvent]) -> bool:
    """Return whether to enable an event's profile: only if no other profile of its discovery was enabled."""
    return not any(each.enabled and each.discovery == event.discovery for each in known)


def may_begin(event: KnownEvent, at: Moment) -> bool:
    """Return whether lpad may download an event on its own: it is unhandled, or due again after a failure."""
    if event.state is EventState.FAILED:
        return event.attempts < MOST_ATTEMPTS and at.steady >= event.next_at
    return not event.state.handled


def _order_of(event: KnownEvent, orders: dict[int, Change]) -> Change | None:
    """Return the change of a platform's order that downloads an event; None if there is none."""
    if event.state is not EventState.DOWNLOADING or event.change is None:
        return None
    return orders.get(event.change)


def _after_download(event: KnownEvent, change: Change | None, at: Moment) -> KnownEvent:
    if change is None:
        if event.state is not EventState.DOWNLOADING:
            return event
        state = EventState.FAILED if event.iccid is None else EventState.INSTALLED
        return replace(event, state=state, why="the record of its download was deleted")
    if event.change == change.id and event.state is not EventState.DOWNLOADING:
        return event  # the result of this change is known already
    if not change.state.ended:
        return replace(event, state=EventState.DOWNLOADING, change=change.id)
    result, error = change.result, change.error
    installed = error.details.get("installed") if error is not None else None
    if change.state is State.DONE or installed:
        return replace(
            event,
            state=EventState.INSTALLED,
            change=change.id,
            iccid=installed or getattr(result, "iccid", None),
            enabled=bool(getattr(result, "enabled", False)),
            why=error.sentence if error is not None else None,
        )
    return _after_failure(event, change, at)


def _after_failure(event: KnownEvent, change: Change, at: Moment) -> KnownEvent:
    why = change.error.sentence if change.error is not None else None
    # A caller has tried the event again without success, so lpad still does not try it on its own.
    if event.iccid is not None:
        return replace(event, state=EventState.INSTALLED, change=change.id, why=why)
    attempts = MOST_ATTEMPTS if change.state is State.CANCELLED else event.attempts + 1
    return replace(
        event,
        state=EventState.FAILED,
        change=change.id,
        attempts=attempts,
        next_at=at.steady + RETRY.after(attempts),
        why=why,
    )
