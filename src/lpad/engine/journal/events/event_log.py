"""The durable outbox of events: numbered, limited in number, and read by the threads that pass them on.

An event is written in the transaction of the change that it reports, and then needs no separate transaction.
The outbox keeps the latest events even after their delivery, so that a listener can continue after a restart.
When the outbox is full, events that no endpoint or listener waits for make room first, then droppable ones,
then the others; always the oldest first.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import uuid
from collections import Counter, deque
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import msgspec
from msgspec.structs import replace

from lpad.base.errors import JournalUnavailable, LpadError
from lpad.base.untrusted_number import LARGEST
from lpad.engine.events import event_types
from lpad.engine.events.cloud_event import Event, EventBody
from lpad.engine.events.event_data import DroppedData
from lpad.engine.events.happening import Happening

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from lpad.engine.journal.salvage.row_checksum import Value

log = logging.getLogger(__name__)

KEPT = 2000
"""The number of events that are kept unless the settings override it."""
AT_ONCE = 20
"""A full outbox drops a twentieth of its events in one step, so that it reports drops rarely."""
UNWRITTEN = 500
"""The maximum number of events that are kept in memory while the journal cannot be written."""

_T = TypeVar("_T")

_TOLD = "told:"
_SOURCE = "events:source"
_DROPPED = "events:dropped"


class File(Protocol):
    """The journal's file."""

    def writing(self, *, last_words: bool = False) -> AbstractContextManager[sqlite3.Connection]:
        """Return a transaction; raise JournalUnavailable if the journal cannot be written."""

    def rows(self, query: str, *values: str | float | None) -> list[tuple[Any, ...]]:
        """Return all rows of a query; raise JournalUnavailable if the journal cannot be read."""


def check_event(row: Mapping[str, Value]) -> None:
    """Check that a row's body is a valid event.

    Raises:
        ValueError: the body is not an event.
    """
    body = row["body"]
    msgspec.json.decode(body if isinstance(body, bytes) else str(body).encode(), type=EventBody)


class EventLog:
    """The table of events; usable from every thread."""

    def __init__(self, file: File) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._unwritten: deque[Happening] = deque()
        self._unwritten_lost: Counter[str] = Counter()
        self._listeners: list[Callable[[], None]] = []
        self._count: int | None = None
        self.most = KEPT
        """The number of events that are kept; a new limit takes effect with the next event."""
        self.device: str | None = None
        """The device's name in the settings; None: a UUID, created when it is first needed."""
        self.awaited_by: list[Callable[[int, str], bool]] = []
        """Functions that return immediately whether an event is awaited, by its number and type."""

    @contextmanager
    def writing(
        self, happenings: Sequence[Happening], *, last_words: bool = False
    ) -> Iterator[sqlite3.Connection]:
        """Write within one transaction, together with events.

        Args:
            happenings: the events; earlier ones that could not be written go first.
            last_words: as in `Database.writing`.

        Raises:
            JournalUnavailable: the journal cannot be written.
        """
        with self._lock:
            late, self._unwritten = list(self._unwritten), deque()
            lost, self._unwritten_lost = self._unwritten_lost, Counter()
        try:
            with self._file.writing(last_words=last_words) as db:
                yield db
                for each in (*late, *happenings):
                    self._append_if_possible(db, each)
                if lost:
                    self._append_if_possible(db, _dropped(lost))
        except BaseException:
            with self._lock:
                self._count = None
                self._unwritten.extendleft(reversed(late))
                self._unwritten_lost += lost
            raise
        if late or happenings or lost:
            self._announce()

    def record(self, happenings: Sequence[Happening]) -> None:
        """Write events in a separate transaction; if that is impossible, with the next transaction."""
        try:
            with self.writing(happenings):
                pass
        except JournalUnavailable as error:
            log.debug("%d events are not written yet: %s", len(happenings), error)
            self.postpone(happenings)

    def postpone(self, happenings: Sequence[Happening]) -> None:
        """Keep events in memory until the next transaction; surplus ones are dropped and counted."""
        with self._lock:
            self._unwritten.extend(happenings)
            while len(self._unwritten) > UNWRITTEN:
                first = next((each for each in self._unwritten if each.type.droppable), self._unwritten[0])
                self._unwritten.remove(first)
                self._unwritten_lost[first.type.name] += 1

    @property
    def unwritten(self) -> bool:
        """Whether events wait in memory."""
        with self._lock:
            return bool(self._unwritten or self._unwritten_lost)

    def on_news(self, tell: Callable[[], None]) -> Callable[[], None]:
        """Call `tell`, from any thread, when there are new events; return a function that ends this."""
        with self._lock:
            self._listeners.append(tell)

        def forget() -> None:
            with self._lock, suppress(ValueError):
                self._listeners.remove(tell)

        return forget

    def after(self, sequence: int, *, limit: int) -> list[Event]:
        """Return up to `limit` events with numbers above `sequence`, in order.

        Raises:
            JournalUnavailable: the journal cannot be read.
        """
        rows = self._file.rows(
            "SELECT id, type, droppable, body FROM sound_events WHERE id > ? ORDER BY id LIMIT ?",
            _storable(sequence),
            limit,
        )
        return [
            Event(
                sequence=number,
                type=type_,
                droppable=bool(droppable),
                body=msgspec.json.decode(body, type=EventBody),
            )
            for number, type_, droppable, body in rows
        ]

    def get(self, sequence: int) -> Event | None:
        """Return one event; None if the outbox no longer has it.

        Raises:
            JournalUnavailable: the journal cannot be read.
        """
        found = self.after(sequence - 1, limit=1)
        return found[0] if found and found[0].sequence == sequence else None

    def count(self, *, after: int) -> int:
        """Return the number of events with numbers above `after`.

        Raises:
            JournalUnavailable: the journal cannot be read.
        """
        ((found,),) = self._file.rows("SELECT count(*) FROM sound_events WHERE id > ?", _storable(after))
        return int(found)

    def last(self) -> int:
        """Return the number of the latest event, even if it is no longer kept; 0: there was none.

        Raises:
            JournalUnavailable: the journal cannot be read.
        """
        rows = self._file.rows("SELECT seq FROM sqlite_sequence WHERE name = 'events'")
        return int(rows[0][0]) if rows else 0

    def source(self) -> str:
        """Return the device's name in its events.

        Raises:
            JournalUnavailable: the name cannot be read or created.
        """
        with self._file.writing() as db:
            return self._source(db)

    def dropped(self) -> dict[str, int]:
        """Return the number of dropped events that an endpoint or listener waited for, by type.

        Raises:
            JournalUnavailable: the journal cannot be read.
        """
        rows = self._file.rows("SELECT value FROM sound_memos WHERE name = ?", _DROPPED)
        return msgspec.json.decode(rows[0][0], type=dict[str, int]) if rows else {}

    def _append_if_possible(self, db: sqlite3.Connection, happening: Happening) -> None:
        """Write an event; an internal error affects neither other events nor the record behind the event.

        An error of the journal is raised, and ends the transaction.
        """
        try:
            self._append(db, happening)
        except (sqlite3.Error, LpadError, OSError, MemoryError):
            raise
        except Exception:
            self._count = None
            log.exception("an event of the type '%s' is not written: internal-error", happening.type.name)

    def _append(self, db: sqlite3.Connection, happening: Happening) -> None:
        if happening.key is not None:
            news = _news(db, happening)
            if news is None:
                return
            happening = news
        self._make_room(db)
        body = EventBody.of(happening, source=self._source(db))
        db.execute(
            "INSERT INTO events (type, droppable, body) VALUES (?, ?, ?)",
            (happening.type.name, int(happening.type.droppable), msgspec.json.encode(body)),
        )
        self._count = (self._count or 0) + 1

    def _make_room(self, db: sqlite3.Connection) -> None:
        if self._count is None:
            (self._count,) = db.execute("SELECT count(*) FROM events").fetchone()
        if self._count < self.most:
            return
        surplus = self._count - self.most + max(1, self.most // AT_ONCE)
        numbers = db.execute("SELECT id, type, droppable FROM events ORDER BY id").fetchall()
        awaited = {
            number for number, type_, _ in numbers if any(_waits(by, number, type_) for by in self.awaited_by)
        }
        order = sorted(numbers, key=lambda row: (row[0] in awaited, not row[2], row[0]))
        gone = order[:surplus]
        db.executemany("DELETE FROM events WHERE id = ?", [(number,) for number, *_ in gone])
        self._count -= len(gone)
        missed = sorted((number, type_) for number, type_, _ in gone if number in awaited)
        if missed:
            counts = Counter(type_ for _, type_ in missed)
            log.warning(
                "the outbox of events is full: dropped %d events that an endpoint or a listener waits for",
                len(missed),
            )
            _put(db, _DROPPED, dict(Counter(_get(db, _DROPPED, dict[str, int])) + counts))
            self._append(db, _dropped(counts, first=missed[0][0], last=missed[-1][0]))

    def _source(self, db: sqlite3.Connection) -> str:
        if self.device is not None:
            return self.device
        known = _get(db, _SOURCE, str)
        if not known:
            known = uuid.uuid4().urn
            _put(db, _SOURCE, known)
        return known

    def _announce(self) -> None:
        with self._lock:
            listeners = list(self._listeners)
        for tell in listeners:
            try:
                tell()
            except Exception:  # the events are stored, even if a function fails
                log.exception("cannot notify a listener of new events: internal-error")


def _storable(sequence: int) -> int:
    """Return a number that SQLite accepts, because a position from another release may be any number."""
    return max(-LARGEST, min(sequence, LARGEST))


def _waits(by: Callable[[int, str], bool], number: int, type_: str) -> bool:
    """Return whether an event is awaited; it counts as awaited if this cannot be determined."""
    try:
        return by(number, type_)
    except Exception:
        log.exception("cannot determine whether event %d is awaited: internal-error", number)
        return True


def _news(db: sqlite3.Connection, happening: Happening) -> Happening | None:
    """Store a happening's state, and return the happening; None if it does not become an event."""
    name = f"{_TOLD}{happening.key}"
    before = _get(db, name, str)
    if before == happening.state:
        return None
    _put(db, name, happening.state)
    if not (before or happening.first_counts):
        return None
    if happening.told_as is None:
        return happening
    return replace(happening, data=msgspec.structs.replace(happening.data, **{happening.told_as: before}))


def _dropped(counts: Counter[str], *, first: int | None = None, last: int | None = None) -> Happening:
    data = DroppedData(count=counts.total(), types=dict(counts), first=first, last=last)
    return Happening(type=event_types.EVENTS_DROPPED, data=data)


def _get(db: sqlite3.Connection, name: str, type_: type[_T]) -> _T:
    """Return a named value; an empty value if there is no readable one."""
    row = db.execute("SELECT value FROM sound_memos WHERE name = ?", (name,)).fetchone()
    try:
        return type_() if row is None else msgspec.json.decode(row[0], type=type_)
    except ValueError:
        return type_()


def _put(db: sqlite3.Connection, name: str, value: object) -> None:
    db.execute("INSERT OR REPLACE INTO memos (name, value) VALUES (?, ?)", (name, msgspec.json.encode(value)))
