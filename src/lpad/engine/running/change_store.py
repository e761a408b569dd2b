"""The change store: live changes in memory, all changes in the journal, each reported to the event hub."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from lpad.base.errors import Conflict, LpadError, NotFound, internal_error
from lpad.base.log.log_fields import logged_with
from lpad.engine.change.change import CALLER, EID, State
from lpad.engine.change.notes import NOTHING, ProfileNotes
from lpad.engine.events.change_events import Known, happenings
from lpad.engine.running.elapsed_retry_time import UncountedTime

if TYPE_CHECKING:
    from collections.abc import Callable, Container

    from lpad.engine.change.change import Change, Json, Progress
    from lpad.engine.change.event_subscriptions import Hub
    from lpad.engine.change.idempotency import IdempotencyKey
    from lpad.engine.change.notes import Noting
    from lpad.engine.change.params import Params
    from lpad.engine.change.steady_clock import Moment
    from lpad.engine.journal import Journal, Private
    from lpad.engine.running.metric_counters import Counters

log = logging.getLogger(__name__)


class ChangeStore:
    """Stores changes; reading never waits for a card."""

    def __init__(self, journal: Journal, hub: Hub, counters: Counters) -> None:
        self._counters = counters
        self._journal = journal
        self._hub = hub
        self._lock = threading.Lock()
        self._catching_up = threading.Lock()
        self._live: dict[int, Change] = {}
        self._on_disk: dict[int, Change] = {}
        self._unwritten: dict[int, Change] = {}
        self._unwritten_notes: dict[int, Noting] = {}
        self.eid_of: Callable[[str], str | None] = lambda _: None
        """Returns the EID of a card at its last reading, for a change that was requested before that
        reading."""
        self.uncounted_time = UncountedTime(journal.clock)
        """Measures the waiting times that `retry_for` does not count."""

    def now(self) -> Moment:
        """Return the present moment on all clocks."""
        return self._journal.clock.now()

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
        """Store a new change."""
        change = self._journal.changes.add(
            euicc, params, secrets=secrets, key=key, origin=origin, asked_by=asked_by
        )
        self._keep(change)
        self.catch_up()
        return change

    def asked_before(self, key: IdempotencyKey) -> Change | None:
        """Return the change of a repeated request; None: the request is new.

        Raises:
            KeyReused: the key belongs to another request.
            Conflict: the record of the first request's change was lost when the journal was damaged.
        """
        change_id = self._journal.requests.change_id(key)
        if change_id is None:
            return None
        try:
            return self.change(change_id)
        except NotFound:
            # lpad adds no new change, because the request may have been carried out, and the new
            # change would repeat it.
            raise Conflict(
                f"this Idempotency-Key belongs to change {change_id}, whose record was lost with a damaged"
                " journal; check the card, and repeat the request with a new key if you still want it",
                change=change_id,
            ) from None

    def note(self, key: IdempotencyKey, change_id: int) -> None:
        """Record that a request asks for an existing change."""
        self._journal.requests.add(key, change_id)

    def under_way(self, euicc: str, params: Params, *, secrets: dict[str, str]) -> list[Change]:
        """Return the unfinished changes with the same request for the same card."""
        with self._lock:
            live = [change for change in self._live.values() if change.euicc == euicc]
        alike = [change for change in live if change.params == params and not change.state.ended]
        return [change for change in alike if _alike(self.private(change).secrets, secrets)]

    @property
    def writable(self) -> bool:
        """Whether the journal can be written, as far as lpad knows."""
        return self._journal.health.ok

    def unended(self) -> list[Change]:
        """Return the unfinished changes, without reading the disk."""
        with self._lock:
            return [change for change in self._live.values() if not change.state.ended]

    def adopt(self, euicc: str) -> list[Change]:
        """Take over a card's changes that were unfinished when the daemon last ended.

        Return an empty list while the journal cannot be written: a change whose end is not on disk would be
        repeated later.
        """
        if not self._journal.health.ok:
            return []
        found = self._journal.changes.unfinished(euicc)
        with self._lock:
            changes = [change for change in found if change.id not in self._live]
            self._live.update({change.id: change for change in changes})
            self._on_disk.update({change.id: change for change in changes})
        return changes

    def end_orphans(self, cards: Container[str]) -> None:
        """End the changes of cards that are no longer in the settings, which would never be carried out."""
        for change in self.unfinished():
            if change.euicc not in cards:
                self.save(change.failed(no_card(change.euicc)))

    def unfinished(self) -> list[Change]:
        """Return the unfinished changes of all cards, even of those that the settings no longer name."""
        return self._journal.changes.unfinished()

    def save(
        self,
        change: Change,
        *,
        notes: Noting = NOTHING,
        secrets: dict[str, str] | None = None,
    ) -> Change:
        """Store a record on disk, and publish it.

        The end of a change counts even while the disk is full: lpad writes the record as soon as possible,
        and meanwhile shows the change as ended. The end also counts if a fault in lpad prevents the write.

        Raises:
            InternalError: the record of an unfinished change cannot be written.
        """
        change = self._timed(change)
        with self._lock:
            before = self._unwritten_notes.get(change.id, NOTHING)
            on_disk = self._on_disk.get(change.id)
        try:
            self._write(change, on_disk, before | notes, secrets)
        except LpadError as error:
            self._keep_unwritten(change, error)
            return change
        except Exception as error:
            log.exception("change %d: cannot store its record: internal-error", change.id)
            self._keep_unwritten(change, internal_error("storing a change's record", error))
            return change
        with self._lock:
            self._unwritten_notes.pop(change.id, None)
        self._keep(change)
        self.catch_up()
        return change

    def _keep_unwritten(self, change: Change, error: LpadError) -> None:
        """Publish an ended change that cannot be stored yet; raise `error` if the change has not ended."""
        if not change.state.ended:
            raise error
        log.warning("change %d: %s, but not written to the journal: %s", change.id, change.state, error)
        with self._lock:
            self._live[change.id] = self._unwritten[change.id] = change
            self._unwritten_notes.pop(change.id, None)
        self._tell(change)

    def _write(
        self,
        change: Change,
        before: Change | None,
        notes: Noting = NOTHING,
        secrets: dict[str, str] | None = None,
    ) -> None:
        """Store a record together with its events."""

        def known() -> Known:
            private = self._journal.changes.private(change)
            noted = notes.on(private.notes)
            iccid = noted.iccid if isinstance(noted, ProfileNotes) else None
            return Known(eid=private.secrets.get(EID) or self.eid_of(change.euicc), iccid=iccid)

        try:
            followed_by = happenings(change, before, known=known)
        except LpadError:
            raise
        except Exception:  # a change's record is useful even without its events
            log.exception("change %d: cannot publish its events: internal-error", change.id)
            followed_by = []
        self._journal.changes.save(change, notes=notes, secrets=secrets, happenings=followed_by)
        with self._lock:
            if change.state.ended:
                self._on_disk.pop(change.id, None)
            else:
                self._on_disk[change.id] = change

    def show(self, change: Change, *, notes: Noting = NOTHING) -> Change:
        """Publish a record without storing it, such as that of a repeatable step.

        Args:
            notes: notes that could not be stored; they are stored with the next record.
        """
        change = self._timed(change)
        if notes.fields:
            with self._lock:
                before = self._unwritten_notes.get(change.id, NOTHING)
                self._unwritten_notes[change.id] = before | notes
        self._keep(change)
        return change

    def show_progress(self, change: Change, progress: Progress) -> Change:
        """Publish the number of bytes sent as a separate event, because the whole record would be large."""
        change = replace(change, progress=progress)
        with self._lock:
            self._live[change.id] = change
        data: dict[str, Json] = {"id": change.id, "sent": progress.sent, "total": progress.total}
        self._hub.publish("progress", data, euicc=change.euicc, change=change.id)
        return change

    def tell_guard(self, change: Change) -> None:
        """Publish the progress of a change's guard as a separate event."""
        data: dict[str, Json] = {"id": change.id, **msgspec.to_builtins(change.guard)}
        self._hub.publish("guard", data, euicc=change.euicc, change=change.id)

    def tell(self, change: Change, type_: str, data: dict[str, Json]) -> None:
        """Publish a separate event about a change."""
        self._hub.publish(type_, {"id": change.id, **data}, euicc=change.euicc, change=change.id)

    def tell_decision(self, change: Change, *, decision: str, rule: str, sentence: str) -> None:
        """Log a decision on an installation, with fields, and publish it."""
        with logged_with(decision=decision, rule=rule):
            log.info(
                "change %d (%s) on %s: decision '%s' by '%s': %s",
                change.id, change.kind, change.euicc, decision, rule, sentence,
            )  # fmt: skip
        data: dict[str, Json] = {"id": change.id, "decision": decision, "rule": rule, "sentence": sentence}
        self._hub.publish("decision", data, euicc=change.euicc, change=change.id)

    def private(self, change: Change) -> Private:
        """Return the secrets and notes of a change that has not ended."""
        known = self._journal.changes.private(change)
        with self._lock:
            unwritten = self._unwritten_notes.get(change.id, NOTHING)
        return replace(known, notes=unwritten.on(known.notes))

    def change(self, change_id: int) -> Change:
        """Return one change.

        Raises:
            NotFound: there is no change with this ID.
        """
        with self._lock:
            live = self._live.get(change_id)
        return live or self._journal.changes.get(change_id)

    def has_ended(self, change_id: int) -> bool:
        """Return whether a change has ended, or is no longer known."""
        try:
            return self.change(change_id).state.ended
        except NotFound:
            return True

    def active(self) -> list[Change]:
        """Return the changes that run or wait, oldest first, from memory."""
        with self._lock:
            live = sorted(self._live.items())
        return [change for _, change in live if change.state in (State.RUNNING, State.WAITING)]

    def changes(
        self, *, euicc: str | None = None, before: int | None = None, limit: int | None = None
    ) -> list[Change]:
        """Return the stored changes, newest first.

        Args:
            euicc: return only changes of this card; None: of all cards.
            before: return only changes older than this one.
            limit: the maximum number of changes to return; None: all.
        """
        stored = self._journal.changes.latest(euicc=euicc, before=before, limit=limit)
        with self._lock:
            return [self._live.get(change.id, change) for change in stored]

    def since_end(self, change: Change) -> float:
        """Return the seconds since a change ended; 0 if its end is not stored yet."""
        ended_at = self._journal.changes.ended_at(change.id)
        return 0.0 if ended_at is None else self.now().since(ended_at)

    def catch_up(self) -> None:
        """Store the ended changes that could not be stored before."""
        # One thread at a time: otherwise several threads store the same end and repeat its events.
        with self._catching_up:
            self._store_unwritten()

    def _store_unwritten(self) -> None:
        with self._lock:
            unwritten = [(change, self._on_disk.get(number)) for number, change in self._unwritten.items()]
        for change, before in unwritten:
            try:
                self._write(change, before)
            except LpadError:
                return
            except Exception:  # the other records can still be stored
                log.exception("change %d: cannot store its record: internal-error", change.id)
                continue
            with self._lock:
                self._unwritten.pop(change.id, None)
                self._live.pop(change.id, None)

    def _timed(self, change: Change) -> Change:
        with self._lock:
            before = self._live.get(change.id)
        return change.timed(self.now().steady, before=before)

    def _keep(self, change: Change) -> None:
        with self._lock:
            if change.state.ended:
                self._live.pop(change.id, None)
            else:
                self._live[change.id] = change
        self.uncounted_time.observe(change)
        self._tell(change)

    def _tell(self, change: Change) -> None:
        """Publish a record, and count an ended change; a fault in these actions is only logged."""
        try:
            if change.state.ended:
                self._counters.change_ended(change.kind, change.state)
                if change.guard is not None:
                    self._counters.guard_ended(change.guard.phase)
            self._hub.publish("change", msgspec.to_builtins(change), euicc=change.euicc, change=change.id)
        except Exception:
            log.exception("change %d: cannot publish its record: internal-error", change.id)


def _alike(some: dict[str, str], others: dict[str, str]) -> bool:
    """Return whether two requests have equal secrets; the EIDs count only if both requests have one."""
    either = {EID: some.get(EID) or others.get(EID) or ""}
    return either | some == either | others


def no_card(euicc: str) -> NotFound:
    """Return the error for a change whose card is no longer in the settings."""
    return NotFound(f"the settings no longer name a card '{euicc}'; repeat the request for another card")
