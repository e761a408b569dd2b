"""The speed of a simulated modem's serial line: if the host uses a different one, characters are noise."""

from __future__ import annotations

import termios
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lpad.simulator.modem.personality import ModemPersonality

AUTOMATIC = 0
"""The value of +IPR with which the modem follows the host (ITU-T V.250, 6.2.10)."""
USUAL = 115_200
_NAMES = {
    getattr(termios, name): int(name[1:])
    for name in dir(termios)
    if name.startswith("B") and name[1:].isdigit()
}
"""The speeds in bits per second, by the kernel's numbers for them."""
_SPEED = 4
"""The index of the input speed in the result of tcgetattr()."""


class LineRate:
    """The modem's speed, if it has +IPR; a modem without +IPR accepts any speed, like a USB modem."""

    def __init__(self, personality: ModemPersonality, *, baud: int | None) -> None:
        """Create a line with a speed of `baud` bits per second; None: 115200."""
        self._personality = personality
        self._at_power_on = baud or USUAL
        self.rate = self._at_power_on
        """The speed, or `AUTOMATIC`."""

    @property
    def offered(self) -> tuple[int, ...]:
        """The speeds that +IPR accepts; empty: the modem does not have +IPR."""
        return self._personality.line_rates

    def power_cut(self) -> None:
        """Reset the speed to that at power-on, unless the modem keeps its speed without power."""
        if not self._personality.keeps_line_rate:
            self.rate = self._at_power_on

    def heard(self, data: bytes, terminal: int | None) -> bytes:
        """Return the characters that the receiving side reads.

        Args:
            data: the characters that were sent, in either direction.
            terminal: a descriptor of the host's side of the port; None: the port is gone.
        """
        if not self.offered or self.rate == AUTOMATIC or terminal is None:
            return data
        host = _NAMES.get(termios.tcgetattr(terminal)[_SPEED])
        if host == self.rate and self.rate not in self._personality.silent_rates:
            most = self._personality.loses_above
            return data if most is None or self.rate <= most else data[: self._personality.buffer]
        return bytes(0x80 | each ^ 0x55 for each in data)
