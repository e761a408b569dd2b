"""The known events of each card, and the SM-DSs that failed, in the journal."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import msgspec

from lpad.base.backoff import Backoff
from lpad.base.errors import ClockNotSet, ServerUnreachable
from lpad.engine.discovery.outgoing_discovery_events import happenings
from lpad.engine.discovery.smds_event_states import KnownEvent

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lpad.base.errors import LpadError
    from lpad.base.server_address import ServerAddress
    from lpad.engine.change.change import Failure
    from lpad.engine.change.steady_clock import Moment
    from lpad.engine.events.happening import Happening
    from lpad.engine.journal.named_values import NamedValues
    from lpad.lpa.discovery import AskedServer

log = logging.getLogger(__name__)

PATIENCE = Backoff((600, 3600, 6 * 3600, 24 * 3600))
"""Seconds for which lpad does not query an SM-DS on its own, by the number of its failures in a row."""
WITHOUT_NETWORK = Backoff((600,))
"""Seconds until lpad tries again if no query was sent, for lack of a network or of a set clock."""
_MOST_SERVERS = 64
_NO_NETWORK = ("no-network", "no-interface")


class FailedServer(msgspec.Struct, frozen=True, kw_only=True):
    """An SM-DS that failed, and when lpad may query it again without a request, on the steady clock."""

    failures: int
    not_before: float


class EventStore:
    """Stores known events and failed SM-DSs; data is on the disk when a call returns."""

    def __init__(self, memos: NamedValues) -> None:
        self._memos = memos

    def known(self, eid: str) -> tuple[KnownEvent, ...]:
        """Return the known events of a card."""
        return self._memos.get_each(_events_of(eid), KnownEvent)

    def put(self, eid: str, known: tuple[KnownEvent, ...]) -> None:
        """Store the known events of a card, if they differ, and report the changes of their states.

        Raises:
            JournalUnavailable: the journal cannot be written.
        """
        before = self.known(eid)
        if known != before:
            self._memos.put(_events_of(eid), known, happenings=_changes(eid, before, known))

    def waits_for(self, eid: str, server: ServerAddress, *, at: Moment) -> bool:
        """Return whether an SM-DS has failed recently, so that lpad queries it only at a user's request."""
        failed = self._failed(eid).get(str(server))
        return failed is not None and at.steady < failed.not_before

    def asked(self, eid: str, servers: Iterable[AskedServer], *, at: Moment) -> None:
        """Note which SM-DSs have answered, and which have failed.

        Raises:
            JournalUnavailable: the journal cannot be written.
        """
        before = self._failed(eid)
        failed = dict(before)
        for each in servers:
            if each.error is not None and is_unsent(each.error):
                continue
            known = failed.pop(str(each.address), None)
            if each.error is not None:
                failures = (known.failures if known is not None else 0) + 1
                failed[str(each.address)] = FailedServer(
                    failures=failures, not_before=at.steady + PATIENCE.least_after(failures)
                )
        if failed != before:
            self._memos.put(_servers_of(eid), dict(list(failed.items())[-_MOST_SERVERS:]))

    def _failed(self, eid: str) -> dict[str, FailedServer]:
        return self._memos.get(_servers_of(eid), dict[str, FailedServer]) or {}


def is_unsent(error: LpadError | Failure) -> bool:
    """Return whether an error means that no query was sent, for lack of a network or of a set clock.

    A query that was not sent does not count as a failure of the server, and makes no later wait longer.
    """
    return error.kind == ClockNotSet.kind or (
        error.kind == ServerUnreachable.kind and error.details.get("cause") in _NO_NETWORK
    )


def _changes(eid: str, before: tuple[KnownEvent, ...], after: tuple[KnownEvent, ...]) -> list[Happening]:
    """Return the changes to report; the record must be stored even without them."""
    try:
        return happenings(eid, before, after)
    except Exception:
        log.exception("cannot report the changes of events: internal-error")
        return []


def _events_of(eid: str) -> str:
    return f"events {eid}"


def _servers_of(eid: str) -> str:
    return f"smds {eid}"
