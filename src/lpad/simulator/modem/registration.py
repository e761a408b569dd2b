"""The registration of a simulated modem: some time after it has read a profile, or never."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from lpad.simulator.modem.personality import DENIED, HOME, NOT_REGISTERED, ROAMING, SEARCHING

if TYPE_CHECKING:
    from collections.abc import Container

    from lpad.simulator.modem.pdp_contexts import ModemContexts
    from lpad.simulator.modem.personality import ModemPersonality
    from lpad.simulator.modem.radio_power_and_iccid import RadioAndSim

_CELL = '"1A2B","01A2B3C4",7'
"""Area, cell and technology, which are reported with the status from level 2 on."""


_WITH_CAUSE = (3, 5)


class ModemRegistration:
    """The status for +CEREG and similar commands, and its changes (3GPP TS 27.007, 7.2, 10.1.20 to 22)."""

    def __init__(
        self,
        radio: RadioAndSim,
        personality: ModemPersonality,
        *,
        contexts: ModemContexts,
        locked: Container[str] = (),
    ) -> None:
        """Create the registration; the modem registers at the first query, unless a PIN is required."""
        self._locked = locked
        self._radio = radio
        self._personality = personality
        self._outcomes = dict(personality.registration)
        self._levels = dict.fromkeys(personality.registration_commands, 0)
        self._contexts = contexts
        self._restarts = (-1, 0)
        self._iccid: str | None = None
        self._began = 0.0
        self._told = NOT_REGISTERED

    def outcome(self, iccid: str, status: int) -> None:
        """Set the result of a profile's registration from now on."""
        self._outcomes[iccid] = status

    def knows(self, name: str) -> bool:
        """Return whether the modem has the command `name`."""
        return name in self._levels

    def set_level(self, name: str, level: int) -> None:
        """Carry out AT+CEREG=: level 0 reports nothing, 1 changes, 2 cells, 3 causes, 4 and 5 PSM."""
        self._levels[name] = level
        self._told = self.status()

    def forget_levels(self) -> None:
        """Switch unsolicited reports off, as a restart of the modem does."""
        self._levels = dict.fromkeys(self._levels, 0)

    def answer(self, name: str) -> str:
        """Return the answer to a query such as AT+CEREG?, without its prefix."""
        status = self._told = self.status()
        return f"{self._levels[name]},{self._status_text(name, status)}"

    def status(self) -> int:
        """Return the present status, after the modem has read its card."""
        self._look()
        return self._at(time.monotonic())

    @property
    def due(self) -> float | None:
        """The time of the next unsolicited report; None if no report is due."""
        if not self._talks:
            return None
        ready = self._began + self._personality.registers_after
        return ready if self._told == SEARCHING and self._told != self._outcome else None

    def news(self) -> tuple[str, ...]:
        """Return the unsolicited lines after a change of the status."""
        if not self._talks:
            return ()
        if self._attempt != self._restarts:
            self._look()
        status = self._at(time.monotonic())
        if status == self._told:
            return ()
        self._told = status
        blank = " " if self._personality.blank_after_colon else ""
        return tuple(
            f"{name}:{blank}{self._status_text(name, status)}"
            for name, level in self._levels.items()
            if level
        )

    def _look(self) -> None:
        iccid = self._radio.iccid() if self._radio.on else None
        seen = None if iccid is None else str(iccid)
        if (seen, self._attempt) != (self._iccid, self._restarts):
            self._iccid, self._restarts = seen, self._attempt
            self._began = time.monotonic()
            self._contexts.attach(seen)

    @property
    def _attempt(self) -> tuple[int, int]:
        """The data that differs between two attempts to register."""
        return self._radio.restarts, self._contexts.attaches

    @property
    def _talks(self) -> bool:
        return self._personality.tells_registration and any(self._levels.values())

    @property
    def _outcome(self) -> int:
        if self._iccid is None or self._iccid in self._locked:
            return NOT_REGISTERED
        if self._contexts.rejected:
            return DENIED
        return self._outcomes.get(self._iccid, HOME)

    def _at(self, moment: float) -> int:
        if self._iccid is None or not self._radio.on or not self._contexts.attached:
            return NOT_REGISTERED
        searches = moment < self._began + self._personality.registers_after
        return SEARCHING if searches else self._outcome

    def _status_text(self, name: str, status: int) -> str:
        cell = self._levels[name] >= 2 and status in (HOME, ROAMING)
        cause = self._contexts.emm_cause
        if self._levels[name] in _WITH_CAUSE and status == DENIED and cause is not None:
            return f"{status},,,,0,{cause}"
        return f"{status},{_CELL}" if cell else str(status)
