"""Notifications that a card lists but that cannot be copied.

Uncopied notifications stay on the card, are shown, and can be dropped by a user. Asking for them must not
delay each switch, so lpad asks a card again after growing pauses. The journal does not store them, because
the card lists them again after a restart.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from msgspec import Struct

from lpad.base.backoff import Backoff

if TYPE_CHECKING:
    from collections.abc import Collection

    from lpad.base.errors import LpadError
    from lpad.codec.messages.notifications import NotificationMetadata
    from lpad.engine.change.steady_clock import SteadyClock

PAUSES = Backoff((60, 300, 3600, 6 * 3600, 24 * 3600))
_MOST = 1000
"""The maximum number of entries stored for one card, so that a faulty card cannot fill the memory."""


class UncopiedNotification(Struct, frozen=True, kw_only=True):
    """An entry of the card's list of notifications that could not be copied, and the reason.

    `since` is on the steady clock.
    """

    seq: int
    event: str
    address: str
    iccid: str | None
    error: str
    since: float


class _Rest(Struct, frozen=True):
    """The number of failed requests, and the monotonic time before which lpad does not ask the card again."""

    failures: int
    until: float


class UncopiedNotifications:
    """The uncopied notifications of each card; thread-safe."""

    def __init__(self, clock: SteadyClock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: dict[str, dict[int, UncopiedNotification]] = {}
        self._rests: dict[tuple[str, int | None], _Rest] = {}
        self._unreadable: dict[str, int] = {}
        self._list_errors: dict[str, str] = {}

    def of(self, eid: str) -> list[UncopiedNotification]:
        """Return a card's uncopied notifications, in ascending order."""
        with self._lock:
            return sorted(self._entries.get(eid, {}).values(), key=lambda each: each.seq)

    def count_unreadable(self, eid: str, count: int) -> None:
        """Store the count of unreadable entries in a card's list; such entries have no sequence number."""
        with self._lock:
            self._list_errors.pop(eid, None)
            self._unreadable.pop(eid, None)
            if count:
                self._unreadable[eid] = count

    def unreadable(self, eid: str) -> int:
        """Return the number of entries of a card's list that cannot be read."""
        with self._lock:
            return self._unreadable.get(eid, 0)

    def note_list(self, eid: str, error: LpadError) -> None:
        """Store why an attempt to read a card's list failed."""
        with self._lock:
            self._list_errors[eid] = f"{error.kind}: {error.sentence}"

    def list_error(self, eid: str) -> str | None:
        """Return why the last attempt to read a card's list failed; None if it did not fail."""
        with self._lock:
            return self._list_errors.get(eid)

    def find(self, eid: str, seq: int) -> UncopiedNotification | None:
        """Return an uncopied notification by its number; None: there is none with this number."""
        with self._lock:
            return self._entries.get(eid, {}).get(seq)

    def forget(self, eid: str, seq: int) -> None:
        """Forget a notification that has left the card."""
        with self._lock:
            self._entries.get(eid, {}).pop(seq, None)
            self._rests.pop((eid, seq), None)

    def note(self, eid: str, entry: NotificationMetadata, error: LpadError) -> None:
        """Add a notification that could not be copied."""
        with self._lock:
            entries = self._entries.setdefault(eid, {})
            before = entries.get(entry.sequence_number)
            if before is None and len(entries) >= _MOST:
                return
            entries[entry.sequence_number] = UncopiedNotification(
                seq=entry.sequence_number,
                event=entry.event.value,
                address=entry.address,
                iccid=str(entry.iccid) if entry.iccid else None,
                error=f"{error.kind}: {error.sentence}",
                since=before.since if before else self._clock.now().steady,
            )

    def rest(self, eid: str, seq: int | None) -> None:
        """Pause the requests to a card for a notification or, if `seq` is None, for its list."""
        with self._lock:
            before = self._rests.get((eid, seq))
            failures = 1 if before is None else before.failures + 1
            if before is not None or len(self._rests) < _MOST:
                self._rests[eid, seq] = _Rest(failures, time.monotonic() + PAUSES.after(failures))

    def is_resting(self, eid: str, seq: int | None) -> bool:
        """Return whether lpad must not ask the card for a notification, or for its list, at present."""
        with self._lock:
            rest = self._rests.get((eid, seq))
            return rest is not None and time.monotonic() < rest.until

    def wake(self, eid: str) -> None:
        """End the pauses of a card, so that its next reading asks for all uncopied notifications."""
        with self._lock:
            for key in [key for key in self._rests if key[0] == eid]:
                del self._rests[key]

    def keep_only(self, eid: str, uncopied: Collection[int], *, listed: Collection[int]) -> None:
        """Forget notifications that are not in `uncopied`, and the pauses of those not in `listed`."""
        with self._lock:
            entries = self._entries.pop(eid, {})
            left = {seq: entry for seq, entry in entries.items() if seq in uncopied}
            if left:
                self._entries[eid] = left
            for key in [key for key in self._rests if key[0] == eid and key[1] not in listed]:
                del self._rests[key]
