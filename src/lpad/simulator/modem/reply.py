"""A simulated modem's answer to a command, in the forms that the modem's personality requires."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lpad.simulator.modem.personality import ModemPersonality

_ERRORS = {
    0: "phone failure",
    3: "operation not allowed",
    10: "SIM not inserted",
    11: "SIM PIN required",
    13: "SIM failure",
    14: "SIM busy",
    20: "memory full",
    22: "not found",
    50: "Incorrect parameters",
    100: "unknown",
}
INCORRECT = 50
"""The code of +CME ERROR for incorrect parameters."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The lines before the final line, the final line, and the length of a waiting proactive command."""

    lines: tuple[str, ...] = ()
    final: str = "OK"
    proactive: int | None = None
    after: tuple[str, ...] = ()
    """Unsolicited lines after the final line."""
    line_rate: int | None = None
    """The speed of the serial line that the command sets; None: the speed does not change."""
    away: float | None = None
    """Seconds for which the port disappears after the reply; None: the port stays."""


class Replies:
    """Makes a modem's answers; `error_level` is the level that +CMEE has set."""

    def __init__(self, personality: ModemPersonality) -> None:
        self.error_level = personality.error_level
        self._blank = " " if personality.blank_after_colon else ""

    def error(self, code: int | None) -> Reply:
        """Return a refusal in the form that +CMEE selects; without a code, plain ERROR."""
        if code is None or self.error_level == 0:
            return Reply(final="ERROR")
        told = str(code) if self.error_level == 1 else _ERRORS.get(code, "unknown")
        return Reply(final=f"+CME ERROR: {told}")

    def prefixed(self, prefix: str, payload: str) -> str:
        """Return a line such as "+CFUN: 1"."""
        return f"{prefix}:{self._blank}{payload}"
