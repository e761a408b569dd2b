"""How often lpad restarts a modem by itself: a few times, further and further apart, and then no more.

A restart helps a modem that has not noticed a switch, or that lost its card after a hot swap. A modem that it
does not help, because it spells ICCIDs in its own way or its slot is worn out, must not be restarted forever:
that ends connections that may be somebody's only ones. Each time is in the journal before the modem is sent
anything, so a daemon that dies again and again is bound, too. Only a modem that reads what the card holds, or
a person's order, has it forgotten.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from lpad.base.errors import LpadError
from lpad.engine.change.change import Json  # noqa: TC001 - msgspec reads the annotations when it runs
from lpad.engine.change.moment import Moment
from lpad.engine.change.time_limit import TimeLimit

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.engine.change.event_hub import Hub
    from lpad.engine.journal import Journal

log = logging.getLogger(__name__)

PAUSES = (0.0, 0.0, 300.0, 1800.0, 7200.0, 6 * 3600.0, 24 * 3600.0)
"""Seconds between two times, by how often it was restarted: a switch and the way back are two of them."""
MOST = len(PAUSES) + 1
"""How often a modem is restarted that this does not help; each time may take several steps of its ladder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModemRestarts:
    """What was done since the modem last read what its card holds.

    `times` counts climbs of the ladder and `steps` what was sent in them; `last_at` is in seconds since 1970;
    `pause` is the time limit until the next one, as the journal keeps it.
    """

    times: int = 0
    steps: int = 0
    last_step: str = ""
    last_at: float = 0.0
    pause: dict[str, Json] = field(default_factory=dict)

    @property
    def exhausted(self) -> bool:
        """Whether lpad does it no more."""
        return self.times >= MOST


class ModemResets:
    """One card's modem; used by the card's worker, and looked at by any thread."""

    def __init__(
        self, euicc: str, *, journal: Journal, hub: Hub, moment: Callable[[], Moment] = Moment.now
    ) -> None:
        """Prepare; the journal is read when it is first needed.

        Args:
            euicc: the card's name in the settings.
            journal: keeps the state over restarts.
            hub: is told of each time.
            moment: reads the clocks.
        """
        self._euicc = euicc
        self._journal = journal
        self._hub = hub
        self._moment = moment
        self._lock = threading.Lock()
        self._known: ModemRestarts | None = None

    @property
    def state(self) -> ModemRestarts:
        """What is noted; nothing while the journal can't be read."""
        with self._lock:
            return self._state()

    @property
    def seconds_left(self) -> float | None:
        """Seconds until the modem may be restarted again; None: lpad does it no more."""
        with self._lock:
            return self._seconds_left(self._state())

    @property
    def sentence(self) -> str:
        """How often the modem was restarted in vain, when it is again, and what a person can do."""
        with self._lock:
            state = self._state()
            left = self._seconds_left(state)
        if left is None:
            following = "does it no more"
        else:
            at = datetime.fromtimestamp(time.time() + left, UTC)
            following = f"does it again at {at:%Y-%m-%d %H:%M} UTC at the earliest"
        times = "once" if state.times == 1 else f"{state.times} times"
        done = f"lpad has restarted the modem {times} in vain, and {following}"
        return f"{done}; 'lpactl restart-modem' does it now"

    def ascend(self, *, unwritten: bool = True) -> bool:
        """Return whether the modem may be restarted now; it is noted on disk that it is.

        Args:
            unwritten: whether it may be although the journal can't be written, as for a switch on its way
                back.
        """
        with self._lock:
            state = self._state()
            left = self._seconds_left(state)
            if left is None or left > 0:
                return False
            times = state.times + 1
            seconds = PAUSES[min(times, len(PAUSES)) - 1]
            pause = TimeLimit.starting(seconds, at=self._moment()).noted()
            if self._keep(replace(state, times=times, last_at=time.time(), pause=pause)) or unwritten:
                return True
            self._known = state  # nothing is done
            return False

    def taken(self, step: str) -> None:
        """Note one step, as it begins."""
        with self._lock:
            state = self._state()
            self._keep(replace(state, steps=state.steps + 1, last_step=step, last_at=time.time()))

    def helped(self) -> None:
        """Note that the modem reads what the card holds."""
        self._forget("the modem reads its card again")

    def ordered(self) -> None:
        """Note that a person had the modem restarted: lpad may do it again, too."""
        self._forget("the modem is restarted on request")

    def _forget(self, why: str) -> None:
        with self._lock:
            if self._state().times:
                log.info("%s: %s; what lpad did about it counts no more", self._euicc, why)
                self._keep(ModemRestarts())

    def _state(self) -> ModemRestarts:
        if self._known is None:
            try:
                found = self._journal.memos.get(self._name, ModemRestarts) or ModemRestarts()
            except LpadError as error:
                log.debug("%s: %s (%s)", self._euicc, error, error.kind)
                return ModemRestarts()
            if found.pause:
                # One that began in another boot counts on from here, or anew if the clock was set back.
                carried_on = TimeLimit.read(dict(found.pause)).carried_on(self._moment())
                found = replace(found, pause=carried_on.noted())
            self._known = found
        return self._known

    def _seconds_left(self, state: ModemRestarts) -> float | None:
        if state.exhausted:
            return None
        return TimeLimit.read(dict(state.pause)).left(self._moment()) if state.pause else 0.0

    def _keep(self, state: ModemRestarts) -> bool:
        """Remember a state and tell of it; return whether it is on the disk."""
        self._known = state
        written = True
        try:
            if state.times:
                self._journal.memos.put(self._name, state)
            else:
                self._journal.memos.drop(self._name)
        except LpadError as error:
            log.warning("%s: restarts of the modem are not written down: %s", self._euicc, error)
            written = False
        data: dict[str, Json] = {"euicc": self._euicc, "modem_restarts": msgspec.to_builtins(state)}
        self._hub.publish("modem-restarts", data, euicc=self._euicc)
        return written

    @property
    def _name(self) -> str:
        return f"modem restarts {self._euicc}"
