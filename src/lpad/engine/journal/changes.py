"""The changes in the journal, with the data for carrying them out and settling them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from lpad.base.errors import JournalUnavailable, NotFound
from lpad.base.frozen import Frozen
from lpad.base.untrusted_number import LARGEST
from lpad.engine.change.change import CALLER, EID, Change, Json, Kind, State, now
from lpad.engine.change.notes import NOTHING, Notes, Noting
from lpad.engine.change.steady_clock import EARLIEST
from lpad.engine.change.steady_clock_marks import MARK
from lpad.engine.change.types_by_kind import kind_of, read_change, read_notes
from lpad.engine.journal.file.database import RepairedError, again_if_repaired
from lpad.engine.journal.idempotency_keys import insert
from lpad.engine.journal.named_values import put_within

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lpad.engine.change.idempotency import IdempotencyKey
    from lpad.engine.change.params import Params
    from lpad.engine.change.steady_clock import SteadyClock
    from lpad.engine.change.steady_clock_marks import SteadyClockMarks
    from lpad.engine.events.happening import Happening
    from lpad.engine.journal.events.event_log import EventLog
    from lpad.engine.journal.file.database import Database, Transaction
    from lpad.engine.journal.file.verification import Row
    from lpad.engine.journal.salvage.row_checksum import Value

log = logging.getLogger(__name__)

_KNOWN_ANYWAY = frozenset({EID})
"""Secrets that other tables also contain; the write-ahead log need not be emptied for them."""


class Retention(Frozen, kw_only=True):
    """The maximum number of stored changes, and of days for which a change stays after its end."""

    number: int = 500
    days: float = 365


class Private(Frozen, kw_only=True):
    """Hidden data for carrying out or settling a change; deleted when the change ends."""

    secrets: dict[str, str]
    notes: Notes


class _Frame(Struct, frozen=True, kw_only=True):
    """The fields in every version's record of a change."""

    id: int
    euicc: str
    kind: str
    state: State = State.QUEUED


class _Stored(Struct, frozen=True, kw_only=True):
    """The private part as stored in the journal; unknown notes stay."""

    secrets: dict[str, str]
    notes: dict[str, Json]

    def noted(self, noting: Noting, secrets: dict[str, str] | None) -> _Stored:
        anew = {**self.notes, **msgspec.to_builtins(noting.fields)}
        return _Stored(secrets={**self.secrets, **(secrets or {})}, notes=anew)


class Changes:
    """The table of changes; data is on the disk when a call returns."""

    def __init__(
        self,
        database: Database,
        retention: Retention,
        clock: SteadyClock,
        marks: SteadyClockMarks,
        events: EventLog,
    ) -> None:
        self._events = events
        self._database = database
        self._clock = clock
        self._marks = marks
        self.retention = retention
        """The limits of the history; new limits take effect with the next change."""

    @again_if_repaired
    def add(
        self,
        euicc: str,
        params: Params,
        *,
        secrets: dict[str, str],
        key: IdempotencyKey | None = None,
        origin: str = CALLER,
        asked_by: int | None = None,
    ) -> Change:
        """Store a new change with its request's key, and return it as queued."""
        with self._database.writing() as db:
            cursor = db.execute(
                "INSERT INTO changes (euicc, state, body, private) VALUES (?, ?, ?, ?)",
                (euicc, State.QUEUED.value, b"", _encode(_Stored(secrets=secrets, notes={}))),
            )
            change = Change(
                id=cursor.lastrowid or 0,
                euicc=euicc,
                kind=kind_of(params),
                params=params,
                created_at=now(),
                origin=origin,
                asked_by=asked_by,
            )
            db.execute("UPDATE changes SET body = ? WHERE id = ?", (_encode(change), change.id))
            if key is not None:
                insert(db, key, change.id)
            self._trim(db, change.id)
        return change

    def _trim(self, db: Transaction, latest: int) -> None:
        """Delete surplus and old ended changes, and their requests."""
        oldest = self._clock.now().steady - self.retention.days * 24 * 3600
        for surplus, values in (
            ("id <= ?", (latest - self.retention.number,)),
            ("ended_at BETWEEN ? AND ?", (EARLIEST, oldest)),
        ):
            gone = db.execute(
                f"DELETE FROM changes WHERE {surplus} AND private IS NULL RETURNING id", values
            ).fetchall()
            db.executemany("DELETE FROM requests WHERE change_id = ?", gone)

    @again_if_repaired
    def save(
        self,
        change: Change,
        *,
        notes: Noting = NOTHING,
        secrets: dict[str, str] | None = None,
        happenings: Sequence[Happening] = (),
    ) -> None:
        """Store a change's present record; an ended change loses its secrets and notes.

        lpad writes the end of a change even to a full disk, as long as the reserved space lasts. If the disk
        has room only for the record, its events wait in memory.

        Args:
            notes: notes for settling, added to the existing ones.
            secrets: secrets for carrying out the change, which replace those of the same names.
            happenings: the events that follow from the record, stored in the same transaction.
        """
        secret = change.state.ended and self._has_secrets(change.id)
        try:
            self._save(change, notes, secrets, happenings)
        except JournalUnavailable:
            if not (change.state.ended and self._database.make_room()):
                raise
            self._save(change, notes, secrets, happenings, last_words=True)
        if secret:
            self._database.forget_deleted()

    def _save(
        self,
        change: Change,
        notes: Noting,
        secrets: dict[str, str] | None,
        happenings: Sequence[Happening],
        *,
        last_words: bool = False,
    ) -> None:
        try:
            with self._events.writing(happenings, last_words=last_words) as db:
                self._put(db, change, notes, secrets)
        except RepairedError:
            raise
        except JournalUnavailable:
            if not happenings and not self._events.unwritten:
                raise
            with self._database.writing(last_words=last_words) as db:
                self._put(db, change, notes, secrets)
            self._events.postpone(happenings)

    def _put(self, db: Transaction, change: Change, notes: Noting, secrets: dict[str, str] | None) -> None:
        if change.state.ended:
            private = None
            ended_at = self._clock.now().steady
        else:
            ended_at = None
            private = _encode(self._stored(change.id).noted(notes, secrets))
        # The row may be missing, because a damaged journal was replaced meanwhile.
        db.execute(
            "INSERT INTO changes (id, euicc, state, body, private, ended_at) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET state = excluded.state, body = excluded.body,"
            " private = excluded.private, ended_at = excluded.ended_at",
            (change.id, change.euicc, change.state.value, _encode(change), private, ended_at),
        )
        if (mark := self._marks.due()) is not None:
            put_within(db, MARK, mark)

    def private(self, change: Change) -> Private:
        """Return the secrets and notes of a change that has not ended."""
        stored = self._stored(change.id)
        return Private(secrets=stored.secrets, notes=read_notes(change.kind, stored.notes))

    def _has_secrets(self, change_id: int) -> bool:
        """Return whether a change has secrets, such as a code, that must not stay in the write-ahead log."""
        try:
            return not self._stored(change_id).secrets.keys() <= _KNOWN_ANYWAY
        except (JournalUnavailable, ValueError):  # the record cannot be read, so it may contain secrets
            return True

    def _stored(self, change_id: int) -> _Stored:
        row = self._database.row("SELECT private FROM sound_changes WHERE id = ?", change_id)
        if row is None or row[0] is None:
            return _Stored(secrets={}, notes={})
        return msgspec.json.decode(row[0], type=_Stored)

    def get(self, change_id: int) -> Change:
        """Return one change.

        Raises:
            NotFound: no change has this ID, it is no longer kept, or its record cannot be read.
        """
        row = self._database.row("SELECT body FROM sound_changes WHERE id = ?", change_id)
        if row is None:
            raise NotFound(
                f"there is no change {change_id}; GET /v1/changes lists the changes that lpad still keeps"
            )
        change = _read(row[0])
        if change is None:
            raise NotFound(
                f"this version of lpad cannot read the record of change {change_id} in the journal"
            )
        return change

    def ended_at(self, change_id: int) -> float | None:
        """Return when a change has ended, on the steady clock; None if it has not."""
        row = self._database.row("SELECT ended_at FROM sound_changes WHERE id = ?", change_id)
        return row[0] if row is not None and isinstance(row[0], float) else None

    def latest(
        self, *, euicc: str | None = None, before: int | None = None, limit: int | None = None
    ) -> list[Change]:
        """Return the changes of one card or of all, newest first; `before`: only lower numbers."""
        of_one, card = ("", ()) if euicc is None else (" AND euicc = ?", (euicc,))
        rows = self._database.rows(
            f"SELECT body FROM sound_changes WHERE id < ?{of_one} ORDER BY id DESC LIMIT ?",
            LARGEST if before is None else before,
            *card,
            self.retention.number if limit is None else limit,
        )
        return [change for row in rows if (change := _read(row[0])) is not None]

    def unfinished(self, euicc: str | None = None) -> list[Change]:
        """Return the unfinished changes of a card, or of all cards, in the order of their requests.

        An unreadable record, such as one of a later version, is ignored: the other changes must continue.
        """
        rows = self._database.rows(
            "SELECT id, body FROM sound_changes WHERE coalesce(euicc = ?, 1)"
            " AND state IN ('queued', 'running', 'waiting') ORDER BY id",
            euicc,
        )
        found = []
        for number, body in rows:
            change = _read(body)
            if change is None:
                log.error(
                    "cannot carry out change %d, because its record in the journal cannot be read", number
                )
            else:
                found.append(change)
        return found


def check_change(row: Row) -> None:
    """Check that a row's record and private part are readable and match its columns.

    A record of a kind that only a later version of lpad knows is not damaged, and stays for that version.

    Raises:
        ValueError: a part is unreadable, or does not match.
    """
    body = _bytes(row["body"])
    change = msgspec.json.decode(body, type=_Frame)
    if change.kind in tuple(Kind):
        read_change(body)
    if (change.id, change.euicc, change.state) != (row["id"], row["euicc"], row["state"]):
        raise ValueError("the record belongs to another change")
    if row["private"] is not None:
        msgspec.json.decode(_bytes(row["private"]), type=_Stored)


def _bytes(value: Value) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def _read(body: bytes) -> Change | None:
    try:
        return read_change(body)
    except ValueError:
        return None


def _encode(value: Change | _Stored) -> bytes:
    return msgspec.json.encode(value)
