"""A simulated modem's radio power, and the ICCID that the modem last read from its card."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.base.errors import CardUnreachable, MalformedError
from lpad.base.identifiers import Iccid
from lpad.simulator.modem.personality import Notices

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.simulator.modem.personality import ModemPersonality

_TO_ICCID = (bytes.fromhex("00A4000C023F00"), bytes.fromhex("00A4000C022FE2"))
_READ_ICCID = bytes.fromhex("00B000000A")


class RadioAndSim:
    """Power of radio and SIM, and the ICCID that was read last."""

    def __init__(
        self,
        transmit: Callable[[bytes], bytes],
        reset_card: Callable[[], bytes],
        personality: ModemPersonality,
    ) -> None:
        """Switch the modem on. The card is read when its ICCID is first requested.

        Args:
            transmit: a function that passes an APDU to the card.
            reset_card: a function that restarts the card.
            personality: the modem's personality.
        """
        self._transmit = transmit
        self._reset_card = reset_card
        self._personality = personality
        self._known = False
        self._iccid: Iccid | None = None
        self._function = 1
        self._sim_power = True
        self.restarts = 0
        """A counter that changes whenever the modem must read its card again, or switches its radio."""

    @property
    def on(self) -> bool:
        """Whether radio and SIM have power."""
        return self._function == 1 and self._sim_power

    @property
    def function(self) -> int:
        """The answer to AT+CFUN?: 0 and 4 are off, 1 is on."""
        return self._function

    @property
    def sim_power(self) -> bool:
        """Whether the SIM has power."""
        return self._sim_power

    def iccid(self) -> Iccid | None:
        """Return the ICCID that the modem has read; None if it has found none."""
        if not self._known or self._personality.notices is Notices.AT_ONCE:
            self._iccid = self._read()
            self._known = True
        return self._iccid

    def happened(self, what: Notices) -> None:
        """Process an event of the card or the modem."""
        if what >= self._personality.notices:
            self._known = False
            self.restarts += 1

    def set_function(self, function: int) -> None:
        """Carry out AT+CFUN: 0 and 4 switch off, 1 on."""
        was_on, self._function = self._function == 1, function
        self.restarts += was_on is not (function == 1)
        if function == 1 and not was_on:
            self._start(Notices.RADIO_CYCLE)

    def set_sim_power(self, *, on: bool) -> None:
        """Switch the SIM's power off or on."""
        had_it, self._sim_power = self._sim_power, on
        if on and not had_it:
            self._start(Notices.SIM_POWER_CYCLE)

    def reset(self) -> None:
        """Restart the whole modem."""
        if self._personality.comes_up_by_itself:
            self._function, self._sim_power = 1, True
        self._start(Notices.RESET)

    def _start(self, what: Notices) -> None:
        self._reset_card()
        self.happened(what)

    def _read(self) -> Iccid | None:
        try:
            for select in _TO_ICCID:
                if self._transmit(select)[-2] not in (0x90, 0x91, 0x61):
                    return None
            answer = self._transmit(_READ_ICCID)
            return Iccid.from_bytes(answer[:-2])
        except (CardUnreachable, MalformedError):
            return None
