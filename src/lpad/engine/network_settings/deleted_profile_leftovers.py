"""Deleted profiles whose data an applier has yet to remove; the list stays on disk until then."""

from __future__ import annotations

import logging
import threading
import time
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from lpad.base.backoff import Backoff
from lpad.base.errors import LpadError

if TYPE_CHECKING:
    from lpad.engine.journal.named_values import NamedValues

log = logging.getLogger(__name__)

PAUSES = Backoff((60, 300, 1800, 3600))
"""Seconds until the next attempt, by the number of failed attempts."""
MOST = 64
"""The maximum number of profiles to remember for one card; a card has room for far fewer."""


class UnforgottenProfile(msgspec.Struct, frozen=True, kw_only=True):
    """One deleted profile that an applier still knows.

    `applier` is the name of the applier; `since` is when lpad first recorded this fact; `told` is why
    the applier still knows the profile.
    """

    iccid: str
    applier: str
    since: datetime
    told: str


class UnforgottenProfiles:
    """The unforgotten profiles of all cards, by the card's name; usable from every thread."""

    def __init__(self, memos: NamedValues) -> None:
        """Create the store; profiles are read from the journal when they are needed."""
        self._memos = memos
        self._lock = threading.Lock()
        self._known: dict[str, tuple[UnforgottenProfile, ...]] = {}
        self._failures: dict[str, int] = {}
        self._due: dict[str, float] = {}

    def of(self, euicc: str) -> tuple[UnforgottenProfile, ...]:
        """Return the deleted profiles of a card, the oldest first; none if the journal cannot be read."""
        with self._lock:
            return self._of(euicc)

    def due_at(self, euicc: str) -> float | None:
        """Return when the next removal is due, in monotonic time; None: there is nothing to remove."""
        with self._lock:
            return self._due.get(euicc, 0.0) if self._of(euicc) else None

    def hurry(self, euicc: str) -> None:
        """Let the next attempt begin now, because the applier's service may be available again."""
        with self._lock:
            self._due.pop(euicc, None)

    def failed(self, euicc: str, profile: UnforgottenProfile) -> None:
        """Keep a profile for another attempt to remove its data."""
        with self._lock:
            before = self._of(euicc)
            same = next((each for each in before if each.iccid == profile.iccid), None)
            since = profile.since if same is None else same.since
            others = tuple(each for each in before if each.iccid != profile.iccid)
            self._write(euicc, (*others, replace(profile, since=since))[-MOST:])

    def forgotten(self, euicc: str, iccid: str) -> None:
        """Drop a profile, because its data was removed, or because the card contains the profile again."""
        with self._lock:
            self._write(euicc, tuple(each for each in self._of(euicc) if each.iccid != iccid))

    def tried(self, euicc: str) -> None:
        """Set the time of the next attempt, if a profile of the card needs one."""
        with self._lock:
            if not self._of(euicc):
                self._failures.pop(euicc, None)
                self._due.pop(euicc, None)
                return
            failures = self._failures[euicc] = self._failures.get(euicc, 0) + 1
            self._due[euicc] = time.monotonic() + PAUSES.after(failures)

    def _of(self, euicc: str) -> tuple[UnforgottenProfile, ...]:
        if euicc not in self._known:
            try:
                read = self._memos.get(_name(euicc), tuple[UnforgottenProfile, ...])
            except LpadError as error:
                log.warning("%s: cannot read deleted profiles' leftovers: %s", euicc, error)
                return ()
            self._known[euicc] = read or ()
        return self._known[euicc]

    def _write(self, euicc: str, profiles: tuple[UnforgottenProfile, ...]) -> None:
        """Store the deleted profiles; if this fails, lpad remembers them until it ends."""
        if profiles == self._of(euicc):
            return
        self._known[euicc] = profiles
        try:
            if profiles:
                self._memos.put(_name(euicc), profiles)
            else:
                self._memos.drop(_name(euicc))
        except LpadError as error:
            log.warning("%s: cannot store deleted profiles' leftovers: %s (%s)", euicc, error, error.kind)


def _name(euicc: str) -> str:
    return f"network-unforgotten:{euicc}"
