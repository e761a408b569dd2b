"""Named listeners of the stream of events: programs on this device whose events count as awaited.

A listener does not make the outbox keep more events: it only determines which events are dropped last, and
which dropped events count as missed.
All listeners are one record, which is written at most once in ten seconds, so that no listener can keep the
journal busy; after a power cut in between, a listener reports its position again.
"""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from lpad.base.errors import Conflict, InvalidValue, JournalUnavailable, NotFound, NotPermitted
from lpad.base.frozen import Frozen
from lpad.engine.listeners.listener_position import ListenerRecord, check_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lpad.engine.journal import Journal

log = logging.getLogger(__name__)

MOST = 16
MOST_OF_A_USER = 4
"""The maximum number of listeners of one user, so that no user takes the places of other users."""
FORGOTTEN_AFTER = 30 * 24 * 3600.0
"""The number of seconds that lpad must run before it forgets an absent listener."""
KEPT_EVERY = 10.0
"""Seconds between two writes of the listeners' record."""

_MEMO = "listeners"


class Asker(Frozen, kw_only=True):
    """The caller: its user ID, and whether it may use the listeners of other users."""

    user: int
    admin: bool


class ListenerStatus(Struct, frozen=True, kw_only=True):
    """The state of a listener.

    Attributes:
        name: the name of the listener.
        user: the ID of the user that the listener belongs to.
        connected: whether the listener listens now.
        position: the latest event that the listener has acknowledged.
        pending: the number of later events; None: the journal cannot be read.
        absent: the seconds that lpad has run since the listener last listened; 0: it listens now.
    """

    name: str
    user: int
    connected: bool
    position: int
    pending: int | None
    absent: float


class Listeners:
    """All named listeners; usable from every thread."""

    def __init__(self, journal: Journal) -> None:
        """Create an empty list of listeners; `load` reads them from the journal."""
        self._journal = journal
        self._lock = threading.RLock()
        self._records: dict[str, ListenerRecord] = {}
        self._connected: dict[str, int] = {}
        self._loaded = False
        self._unwritten = False
        self._written_at: float | None = None
        self._timer: threading.Timer | None = None

    def load(self) -> None:
        """Read the listeners, and write unwritten records, if the journal is available."""
        with self._lock, suppress(JournalUnavailable):
            self._load()
            self._write_soon()

    def close(self) -> None:
        """Write the positions that are not yet on the disk."""
        with self._lock:
            self._write()

    def awaits(self, sequence: int) -> bool:
        """Return whether any listener has yet to acknowledge an event; never wait for the disk."""
        return any(sequence > each.position for each in self._records.values())

    def connect(self, name: str, asker: Asker, *, after: int | None) -> int:
        """Admit a listener that begins to listen; an unknown name becomes a new listener.

        Args:
            name: the name of the listener.
            asker: the caller.
            after: the last event that the listener has processed; lpad counts this event and all earlier ones
                as acknowledged. None: the listener continues after the last acknowledged event.

        Returns:
            The number of the event after which the listener continues; without `after`, a new listener gets
            only new events.

        Raises:
            InvalidValue: the name is not valid.
            Conflict: there are too many listeners.
            NotPermitted: the name belongs to another user.
            JournalUnavailable: the journal cannot be read.
        """
        check_name(name)
        with self._lock:
            self._load()
            known = self._records.get(name)
            if known is None:
                self._check_place(name, asker)
            else:
                _check_owner(name, known, asker)
            last = self._journal.events.last()
            position = after if after is not None else known.position if known is not None else last
            if position > last:
                position = 0  # the number is from another journal
            user = asker.user if known is None else known.user
            self._put(name, ListenerRecord(user=user, position=position, seen=self._now()))
            return position

    @contextmanager
    def listening(self, name: str) -> Iterator[None]:
        """Count a listener as connected while the block runs."""
        with self._lock:
            self._connected[name] = self._connected.get(name, 0) + 1
        try:
            yield
        finally:
            with self._lock:
                self._connected[name] -= 1
                if not self._connected[name]:
                    del self._connected[name]
            self.seen(name)

    def seen(self, name: str) -> None:
        """Record that a listener was connected until now."""
        with self._lock:
            known = self._records.get(name)
            if known is not None:
                self._put(name, replace(known, seen=self._now()))

    def acknowledge(self, name: str, asker: Asker, *, position: int) -> ListenerStatus:
        """Record that a listener has processed an event and all earlier ones; return the listener's status.

        The listener's position never moves back.

        Raises:
            NotFound: there is no such listener.
            NotPermitted: the listener belongs to another user.
            InvalidValue: no event has had this number yet.
            JournalUnavailable: the journal cannot be read.
        """
        with self._lock:
            known = self._known(name, asker)
            if position > self._journal.events.last():
                raise InvalidValue(f"there is no event {position} yet; acknowledge one that was received")
            later = max(known.position, position)
            self._put(name, replace(known, position=later, seen=self._now()))
            return self._status(name)

    def forget(self, name: str, asker: Asker) -> ListenerStatus:
        """Forget a listener, whose events then no longer count as awaited; return its last status.

        Raises:
            NotFound: there is no such listener.
            NotPermitted: the listener belongs to another user.
            Conflict: the listener is connected now, and would be added again with its next connection.
            JournalUnavailable: the journal cannot be read.
        """
        with self._lock:
            self._known(name, asker)
            status = self._status(name)
            if status.connected:
                raise Conflict(
                    f"cannot forget the listener '{name}': it is connected, and its next connection"
                    " would add it again; stop its program first"
                )
            self._lose(name)
            return status

    def all(self) -> list[ListenerStatus]:
        """Return the status of all listeners, ordered by name; those of an unreadable journal are missing."""
        self.load()
        with self._lock:
            return [self._status(name) for name in sorted(self._records)]

    def _load(self) -> None:
        """Read the listeners' record once, and forget the listeners that were absent for too long.

        Raises:
            JournalUnavailable: the journal cannot be read.
        """
        if not self._loaded:
            found = self._journal.memos.get(_MEMO, dict[str, ListenerRecord]) or {}
            self._records = dict(list(found.items())[:MOST])
            self._loaded = True
        for name, each in list(self._records.items()):
            if name not in self._connected and self._now() - each.seen > FORGOTTEN_AFTER:
                log.warning("the listener '%s' is forgotten: it was absent for too long", name)
                self._lose(name)

    def _now(self) -> float:
        return self._journal.clock.now().ran

    def _known(self, name: str, asker: Asker) -> ListenerRecord:
        self._load()
        known = self._records.get(name)
        if known is None:
            there = ", ".join(sorted(self._records)) or "none"
            raise NotFound(f"there is no listener '{name}'; existing listeners: {there}")
        _check_owner(name, known, asker)
        return known

    def _check_place(self, name: str, asker: Asker) -> None:
        own = sum(each.user == asker.user for each in self._records.values())
        if len(self._records) >= MOST or (own >= MOST_OF_A_USER and not asker.admin):
            limit = MOST if len(self._records) >= MOST else MOST_OF_A_USER
            raise Conflict(
                f"cannot add the listener '{name}': at most {MOST} may exist, {MOST_OF_A_USER} of each user;"
                " forget one that is no longer needed (DELETE /v1/listeners/NAME)",
                limit=limit,
            )

    # The dictionary is replaced and never changed, because `awaits` reads it without a lock.

    def _put(self, name: str, record: ListenerRecord) -> None:
        self._records = {**self._records, name: record}
        self._unwritten = True
        self._write_soon()

    def _lose(self, name: str) -> None:
        self._records = {other: each for other, each in self._records.items() if other != name}
        self._unwritten = True
        self._write_soon()

    def _write_soon(self) -> None:
        """Write now, or once ten seconds have passed since the last write."""
        if not self._unwritten or self._timer is not None:
            return
        left = 0.0 if self._written_at is None else self._written_at + KEPT_EVERY - self._now()
        if left <= 0:
            self._write()
            return
        self._timer = threading.Timer(left, self.close)
        self._timer.daemon = True
        self._timer.start()

    def _write(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._unwritten or not self._loaded:
            return
        self._written_at = self._now()
        try:
            self._journal.memos.put(_MEMO, self._records)
        except JournalUnavailable as error:
            log.debug("the listeners are not written yet: %s", error)
        else:
            self._unwritten = False

    def _status(self, name: str) -> ListenerStatus:
        record = self._records[name]
        connected = name in self._connected
        try:
            pending = self._journal.events.count(after=record.position)
        except JournalUnavailable:
            pending = None
        return ListenerStatus(
            name=name,
            user=record.user,
            connected=connected,
            position=record.position,
            pending=pending,
            absent=0.0 if connected else max(0.0, self._now() - record.seen),
        )


def _check_owner(name: str, record: ListenerRecord, asker: Asker) -> None:
    if asker.user != record.user and not asker.admin:
        raise NotPermitted(
            f"the listener '{name}' belongs to user {record.user}; choose another name, or ask as that user",
            role="admin",
        )
