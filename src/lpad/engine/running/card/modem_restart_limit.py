"""The limit for lpad's own restarts of a modem: a few at growing intervals, and then none.

A restart helps a modem that has not noticed a switch, or that lost its card after a hot swap. Restarts do not
help if, for example, the modem reports ICCIDs in its own form, or its slot is worn out. lpad must not restart
such a modem endlessly, because each restart interrupts a connection that may be the only one. Each restart is
in the journal before any command is sent, so the limit also applies if the daemon crashes repeatedly. The
count is reset only when the modem reads the enabled profile, or at a user's request.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from msgspec.structs import replace

from lpad.base.errors import LpadError
from lpad.base.frozen import Frozen

if TYPE_CHECKING:
    from lpad.engine.change.change import Json
    from lpad.engine.change.event_subscriptions import Hub
    from lpad.engine.journal import Journal

log = logging.getLogger(__name__)

PAUSES = (0.0, 0.0, 300.0, 1800.0, 7200.0, 6 * 3600.0, 24 * 3600.0)
"""Seconds between two restarts, by the number of restarts so far; a switch and its rollback may need two."""
MOST = len(PAUSES) + 1
"""The maximum number of restarts without success; each may take several steps of the ladder."""


class ModemRestarts(Frozen, kw_only=True):
    """The restarts since the modem last read the enabled profile; moments are on the journal's steady clock.

    `times` counts the uses of the ladder, and `steps` their steps.
    """

    times: int = 0
    steps: int = 0
    last_step: str = ""
    last_at: float = 0.0
    next_at: float = 0.0

    @property
    def exhausted(self) -> bool:
        """Whether lpad no longer restarts the modem."""
        return self.times >= MOST


class ModemRestartLimit:
    """The limit for one card's modem; used by the card's worker, readable from any thread."""

    def __init__(self, euicc: str, *, journal: Journal, hub: Hub) -> None:
        """Create the limit; the journal is read when it is first needed."""
        self._euicc = euicc
        self._journal = journal
        self._hub = hub
        self._lock = threading.Lock()
        self._known: ModemRestarts | None = None

    @property
    def state(self) -> ModemRestarts:
        """The stored state; empty while the journal cannot be read."""
        with self._lock:
            return self._state()

    @property
    def seconds_left(self) -> float | None:
        """Seconds until the modem may be restarted again; None: never."""
        with self._lock:
            return self._seconds_left(self._state())

    @property
    def sentence(self) -> str:
        """The number of unsuccessful restarts, the time of the next one, and the remedy, in words."""
        state = self.state
        if state.exhausted:
            following = "will not restart it again"
        else:
            at = self._journal.clock.now().date_of(state.next_at)
            following = f"will restart it again at {at:%Y-%m-%d %H:%M} UTC at the earliest"
        times = "once" if state.times == 1 else f"{state.times} times"
        done = f"lpad has restarted the modem {times} without success, and {following}"
        return f"{done}; 'lpactl restart-modem' restarts it now"

    def ascend(self, *, unwritten: bool = True) -> bool:
        """Return whether the modem may be restarted now; if so, count the restart on disk.

        Args:
            unwritten: whether a restart is allowed even if the journal cannot be written, as for a rollback.
        """
        with self._lock:
            state = self._state()
            left = self._seconds_left(state)
            if left is None or left > 0:
                return False
            times = state.times + 1
            present = self._journal.clock.now().steady
            next_at = present + _pause(times)
            if self._keep(replace(state, times=times, last_at=present, next_at=next_at)) or unwritten:
                return True
            self._known = state  # no restart begins, so none is counted
            return False

    def taken(self, step: str) -> None:
        """Record a step of the ladder at its start."""
        with self._lock:
            state = self._state()
            present = self._journal.clock.now().steady
            self._keep(replace(state, steps=state.steps + 1, last_step=step, last_at=present))

    def helped(self) -> None:
        """Record that the modem reads the enabled profile."""
        self._forget("the modem reads its card again")

    def ordered(self) -> None:
        """Record a user's restart, after which lpad may restart the modem again, too."""
        self._forget("the modem is restarted on request")

    def _forget(self, why: str) -> None:
        with self._lock:
            if self._state() != ModemRestarts():
                log.info("%s: %s; lpad resets its count of restarts", self._euicc, why)
                self._keep(ModemRestarts())

    def _state(self) -> ModemRestarts:
        if self._known is None:
            try:
                found = self._journal.memos.get(self._name, ModemRestarts) or ModemRestarts()
            except LpadError as error:
                log.debug("%s: %s (%s)", self._euicc, error, error.kind)
                return ModemRestarts()
            # If the steady clock has lost its stored value, the pause must not become longer.
            latest = self._journal.clock.now().steady + _pause(found.times)
            self._known = replace(found, next_at=min(found.next_at, latest))
        return self._known

    def _seconds_left(self, state: ModemRestarts) -> float | None:
        if state.exhausted:
            return None
        return self._journal.clock.now().until(state.next_at, longest=PAUSES[-1])

    def _keep(self, state: ModemRestarts) -> bool:
        """Store and publish a state; return whether it is on the disk."""
        self._known = state
        written = True
        try:
            if state == ModemRestarts():
                self._journal.memos.drop(self._name)
            else:
                self._journal.memos.put(self._name, state)
        except LpadError as error:
            log.warning("%s: cannot record restarts of the modem: %s", self._euicc, error)
            written = False
        self._tell(state)
        return written

    def _tell(self, state: ModemRestarts) -> None:
        shown: dict[str, Json] | None = None
        if state != ModemRestarts():
            present = self._journal.clock.now()
            shown = {
                "times": state.times,
                "steps": state.steps,
                "last_step": state.last_step,
                "last_at": present.date_of(state.last_at).timestamp(),
                "next_at": None if state.exhausted else present.date_of(state.next_at).timestamp(),
            }
        data: dict[str, Json] = {"euicc": self._euicc, "modem_restarts": shown}
        self._hub.publish("modem-restarts", data, euicc=self._euicc)

    @property
    def _name(self) -> str:
        return f"modem restarts {self._euicc}"


def _pause(times: int) -> float:
    return PAUSES[min(max(times, 1), len(PAUSES)) - 1]
