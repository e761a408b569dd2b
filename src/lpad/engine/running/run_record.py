"""The record of a running change: its public part, its notes, and its state on disk."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from msgspec.structs import replace

from lpad.base.errors import Cancelled, InternalError, LpadError
from lpad.engine.change.change import Progress, State
from lpad.engine.change.notes import NOTHING, DownloadNotes, N, Notes
from lpad.engine.running.elapsed_retry_time import TriedTime

if TYPE_CHECKING:
    from lpad.engine.change.change import Change, Json, Pause
    from lpad.engine.change.guard import Guard
    from lpad.engine.change.notes import Noting
    from lpad.engine.change.results import Outcome
    from lpad.engine.change.steady_clock import Moment
    from lpad.engine.running.change_store import ChangeStore


class RunRecord:
    """One change and its notes, written by the worker, and by the API for an answer or a cancellation."""

    def __init__(self, change: Change, store: ChangeStore) -> None:
        """Create the object for a record, and load the notes of its change."""
        self._store = store
        self._change = change
        self._private = store.private(change)
        self._condition = threading.Condition()

    @property
    def change(self) -> Change:
        """The latest record."""
        return self._change

    @property
    def cut_off(self) -> bool:
        """Whether the change was begun, but neither ended nor resumed."""
        return self._change.state is not State.QUEUED

    @property
    def notes(self) -> Notes:
        """The notes of the change, including those from before the daemon's start."""
        return self._private.notes

    def notes_of(self, type_: type[N]) -> N:
        """Return the notes, which must be of the given type.

        Raises:
            InternalError: the notes of this kind of change are of a different type.
        """
        if not isinstance(self.notes, type_):
            raise InternalError(f"a change of the kind {self._change.kind} has no {type_.__name__}")
        return self.notes

    def secret(self, name: str) -> str | None:
        """Return a secret parameter; None if the change has none with this name."""
        return self._private.secrets.get(name)

    def guarded(self, guard: Guard, notes: Noting = NOTHING, *, needed: bool = True) -> None:
        """Publish the guard's present state, and store it with the notes for resuming the change.

        Args:
            notes: the notes that lpad needs after a restart.
            needed: whether to raise an error if the record cannot be written.

        Raises:
            InternalError: the record is needed, and cannot be written.
        """
        with self._condition:
            self._write(replace(self._change, guard=guard), notes, needed=needed)
        self._store.tell_guard(self._change)

    def show_guard(self, guard: Guard) -> None:
        """Publish new observations without storing them, because they are repeated after a power cut."""
        with self._condition:  # a caller may be answering at this moment
            self._change = self._store.show(replace(self._change, guard=guard))
        self._store.tell_guard(self._change)

    def progress(self, sent: int, total: int) -> None:
        """Publish the number of bytes that the card has accepted, and the total; at most once per percent."""
        with self._condition:
            shown = self._change.progress
            if shown is None or sent == total or (sent - shown.sent) * 100 >= total:
                self._change = self._store.show_progress(self._change, Progress(sent=sent, total=total))

    def follow(self, name: str) -> None:
        """Begin a step that follows an irreversible one; it is taken even after a cancellation."""
        with self._condition:  # a caller may be answering at this moment
            self._change = self._store.show(self._change.at_step(name))

    def decided(self, decision: str, *, rule: str, sentence: str) -> None:
        """Publish the decision on an offered profile, or its server, and the rule."""
        self._store.tell_decision(self._change, decision=decision, rule=rule, sentence=sentence)

    def tell(self, type_: str, **data: Json) -> None:
        """Publish a separate event."""
        self._store.tell(self._change, type_, data)

    def note(self, notes: Noting, *, needed: bool = True) -> None:
        """Store a note that the change needs after a restart.

        Args:
            needed: whether to raise an error if the record cannot be written.

        Raises:
            InternalError: the record is needed, and cannot be written.
        """
        with self._condition:
            self._write(self._change, notes, needed=needed)

    def keep_secret(self, name: str, value: str) -> None:
        """Store a secret parameter that became known only now.

        Raises:
            InternalError: the record cannot be written.
        """
        with self._condition:
            self._write(self._change, NOTHING, needed=True, secrets={name: value})

    def postpone(self, pause: Pause, notes: Noting) -> None:
        """Make the change wait for another attempt; its notes go to the disk as soon as possible.

        If the notes cannot be written, a restart settles the last stored record, which also leads to another
        attempt.
        """
        with self._condition:
            self._write(self._change.paused(pause), notes, needed=False)

    def put_off(self, pause: Pause, notes: Noting) -> None:
        """Make the change wait like `postpone`, for a reason other than a failed attempt."""
        with self._condition:
            self._write(self._change.put_off(pause), notes, needed=False)

    def await_card(self, pause: Pause, notes: Noting) -> None:
        """Make the change wait for the card, which shows its result.

        If the journal cannot be written, it shows the change as running, which a restart also settles.
        """
        self.postpone(pause, notes)

    def now(self) -> Moment:
        """Return the present moment on all clocks."""
        return self._store.now()

    def tried_time(self) -> TriedTime:
        """Return the seconds for which the change has been tried, after a failed attempt."""
        uncounted = self._store.uncounted_time.take(self._change)
        return TriedTime.until(self.now().ran, notes=self.notes_of(DownloadNotes), uncounted=uncounted)

    def awaits_turn(self) -> None:
        """Record that the change's pause is over, and that it waits for the card."""
        self._store.uncounted_time.awaits_turn(self._change)

    def done(self, result: Outcome) -> None:
        """End the change successfully, with its result."""
        with self._condition:
            self._change = self._store.save(self._change.done(result))

    def fail(self, error: LpadError) -> None:
        """End the change as failed with an error; after Cancelled, end it as cancelled."""
        with self._condition:
            change = self._change
            ended = change.cancelled(error) if isinstance(error, Cancelled) else change.failed(error)
            self._change = self._store.save(ended)

    def _write(
        self,
        record: Change,
        notes: Noting,
        *,
        needed: bool,
        secrets: dict[str, str] | None = None,
    ) -> None:
        try:
            self._change = self._store.save(record, notes=notes, secrets=secrets)
        except InternalError:
            if needed:
                raise
            self._change = self._store.show(record, notes=notes)
        self._noted(notes)
        self._private.secrets.update(secrets or {})

    def _noted(self, notes: Noting) -> None:
        self._private = replace(self._private, notes=notes.on(self._private.notes))
