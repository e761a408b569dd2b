"""The rescue after `switch-stuck`: the wanted profiles are tried until one of them is enabled.

Such a switch could enable neither the previous profile nor one of the fallback order, and the device is
unattended. lpad therefore tries these profiles again in rounds at growing intervals, and immediately when the
card comes back or lpad starts. Each attempt is a change like any other. The wanted profiles and the number of
attempts are in the journal, so a restart does not end the rescue.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from lpad.base.backoff import Backoff
from lpad.base.errors import LpadError
from lpad.base.frozen import Frozen
from lpad.engine.change.change import EID, RESCUE, Kind, State
from lpad.engine.change.params import DisableParams, EnableParams
from lpad.engine.snapshot.snapshot import CardState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lpad.engine.change.change import Change, Json
    from lpad.engine.change.event_subscriptions import Hub
    from lpad.engine.journal import Journal
    from lpad.engine.running.change_store import ChangeStore
    from lpad.engine.running.run import Run
    from lpad.engine.snapshot.snapshot import Snapshot

log = logging.getLogger(__name__)

BACKOFF = Backoff((30, 60, 300, 900, 1800, 3600))
"""Seconds between two rounds through the wanted profiles."""
REST = 30.0
"""The minimum number of seconds between two attempts, however often the card disappears and returns."""
_TROUBLED = 60.0
"""Seconds until the next attempt if the journal cannot be written."""


class RescueState(Frozen, kw_only=True):
    """The state of a rescue; moments are on the journal's steady clock.

    `change` failed with `switch-stuck`; `wanted` are ICCIDs or AIDs in the order of the attempts; None means
    that no profile is to be enabled. `unwanted` is the rejected profile.
    """

    change: int
    wanted: tuple[str | None, ...]
    unwanted: str
    since: float
    attempts: int = 0
    next_at: float = 0.0


class Rescue:
    """The decisions about one card's rescue; used by its worker's thread, readable from any other thread."""

    def __init__(
        self, euicc: str, *, store: ChangeStore, journal: Journal, hub: Hub, submit: Callable[[Change], None]
    ) -> None:
        self._euicc = euicc
        self._store = store
        self._journal = journal
        self._hub = hub
        self._submit = submit
        self._known: dict[str, RescueState | None] = {}
        self._due_at: float | None = None
        self._away = True
        self._rests_until = -math.inf

    @property
    def due_at(self) -> float | None:
        """When to begin an attempt, in monotonic time; None: no attempt is planned."""
        return self._due_at

    @property
    def is_due(self) -> bool:
        """Whether an attempt must begin now."""
        return self._due_at is not None and self._due_at <= time.monotonic()

    @contextmanager
    def overtaking(self, run: Run) -> Iterator[None]:
        """Make a run give way if an attempt becomes due in the block; nothing else checks the time there."""
        if self._due_at is None:
            yield
            return
        timer = threading.Timer(
            max(0.0, self._due_at - time.monotonic()), run.overtake, ["the rescue after a stuck switch"]
        )
        timer.daemon = True
        try:
            timer.start()
        except RuntimeError as error:  # without the timer, the attempt begins after the run
            log.warning("%s: cannot start the timer of the rescue: %s", self._euicc, error)
        try:
            yield
        finally:
            timer.cancel()

    def state(self, eid: str | None) -> RescueState | None:
        """Return the state of a card's rescue; None if there is no rescue, or the journal cannot be read."""
        if eid is None:
            return None
        if eid not in self._known:
            try:
                self._known[eid] = self._journal.memos.get(_name(eid), RescueState)
            except LpadError as error:
                log.debug("%s: %s (%s)", self._euicc, error, error.kind)
                return None
        return self._known[eid]

    def stuck(self, change: Change, eid: str, *, wanted: tuple[str | None, ...], unwanted: str) -> None:
        """Begin the rescue after a guarded switch that is about to fail with `switch-stuck`."""
        self._away = False
        self._rests_until = time.monotonic() + REST
        present = self._journal.clock.now().steady
        state = RescueState(
            change=change.id,
            wanted=wanted,
            unwanted=unwanted,
            since=present,
            next_at=present + BACKOFF.after(1),
        )
        self._keep(eid, state)

    def look(self, card: Snapshot) -> None:
        """Determine whether and when to begin an attempt; called after each reading and each attempt."""
        self._due_at = None
        if card.state is not CardState.READY or card.eid is None:
            self._away = True
            return
        state = self.state(card.eid)
        if state is None:
            self._away = False
            return
        if self._is_over(card, state):
            log.info("%s: the rescue after change %d is over", self._euicc, state.change)
            self._keep(card.eid, None)
        elif not any(each.origin == RESCUE for each in self._mine(self._store.unended())):
            moment = self._journal.clock.now()
            wait = 0.0 if self._away else moment.until(state.next_at, longest=BACKOFF.longest)
            self._due_at = max(time.monotonic() + wait, self._rests_until)

    def begin(self, card: Snapshot) -> None:
        """Begin an attempt: store it and the time of the next attempt, then queue the change."""
        self._due_at = None
        state = self.state(card.eid)
        if card.eid is None or state is None:
            return
        candidates = _candidates(card, state)
        iccid = candidates[state.attempts % len(candidates)]
        attempts = state.attempts + 1
        rounds, rest = divmod(attempts, len(candidates))
        wait = 0.0 if rest else BACKOFF.after(rounds + 1)
        params = DisableParams(iccid=state.unwanted) if iccid is None else EnableParams(iccid=iccid)
        try:
            change = self._store.add(self._euicc, params, secrets={EID: card.eid}, origin=RESCUE)
        except LpadError as error:
            log.warning("%s: cannot attempt a rescue now: %s (%s)", self._euicc, error, error.kind)
            self._due_at = time.monotonic() + _TROUBLED
            return
        log.warning(
            "%s: rescue attempt %d after change %d: %s profile %s",
            self._euicc, attempts, state.change, change.kind, params.iccid,
        )  # fmt: skip
        self._away = False
        self._rests_until = time.monotonic() + (0.0 if rest else REST)
        self._keep(
            card.eid, replace(state, attempts=attempts, next_at=self._journal.clock.now().steady + wait)
        )
        self._submit(change)

    def _is_over(self, card: Snapshot, state: RescueState) -> bool:
        """Return whether the rescue is over: a later switch is done, or no wanted profile is on the card."""
        enabled = card.listed.enabled
        ours = any(card.listed.means(name, enabled) for name in (state.unwanted, *state.wanted))
        if (enabled is not None and not ours) or not _candidates(card, state):
            return True
        return any(
            change.id > state.change
            and change.kind in (Kind.ENABLE, Kind.DISABLE)
            and change.state is State.DONE
            for change in self._store.changes(euicc=self._euicc)
        )

    def _mine(self, changes: list[Change]) -> list[Change]:
        return [change for change in changes if change.euicc == self._euicc]

    def _keep(self, eid: str, state: RescueState | None) -> None:
        """Store a state, on the disk if possible, and publish it."""
        self._known[eid] = state
        try:
            if state is None:
                self._journal.memos.drop(_name(eid))
            else:
                self._journal.memos.put(_name(eid), state)
        except LpadError as error:
            # After a restart, lpad then resumes the stuck change, which fails with `switch-stuck` again.
            log.warning("%s: cannot record the state of the rescue: %s (%s)", self._euicc, error, error.kind)
        data: dict[str, Json] = {"euicc": self._euicc, "rescue": msgspec.to_builtins(self._dated(state))}
        self._hub.publish("rescue", data, euicc=self._euicc)

    def _dated(self, state: RescueState | None) -> RescueState | None:
        """Return a state with its moments in seconds since 1970, for the event; None for None."""
        if state is None:
            return None
        moment = self._journal.clock.now()
        since, next_at = (moment.date_of(each).timestamp() for each in (state.since, state.next_at))
        return replace(state, since=since, next_at=next_at)


def _candidates(card: Snapshot, state: RescueState) -> list[str | None]:
    """Return the profiles to try: only the enabled one if it is wanted, so that the modem reads it, too."""
    listed = card.listed
    for name in state.wanted:
        if name is not None and listed.means(name, listed.enabled):
            return [name]
    if None in state.wanted and listed.enabled is None and listed.complete:
        return [None]
    # A profile that is not among the readable entries may be an unreadable entry.
    return [name for name in state.wanted if name is None or not listed.lacks_name(name)]


def _name(eid: str) -> str:
    return f"rescue {eid}"
