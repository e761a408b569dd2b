"""A modem's answer to the query whether its radio is on (3GPP TS 27.007, 8.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.base.untrusted_number import whole_number
from lpad.protocol.at_dialogue import AtCommand

if TYPE_CHECKING:
    from lpad.protocol.at_dialogue import AtAnswer

FULL = 1
"""Radio and SIM are on."""
_MOST = 255


def functionality_command() -> AtCommand:
    """Return the command that asks for the modem's level of functionality."""
    return AtCommand("AT+CFUN?", prefix="+CFUN")


def functionality_told(answer: AtAnswer) -> int | None:
    """Return the level that the modem reports, 0 to 255; None if the answer has no level.

    Some modems add a second parameter: `+CFUN: 1,0`.
    """
    for line in answer.lines:
        told = whole_number(line.partition(",")[0].strip().strip('"'), most=_MOST)
        if told is not None:
            return told
    return None
