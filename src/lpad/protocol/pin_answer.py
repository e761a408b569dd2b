"""What a modem answers when it is asked whether SIM or modem are locked (3GPP TS 27.007, 8.3)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lpad.protocol.at_dialogue import AtCommand

if TYPE_CHECKING:
    from lpad.protocol.at_dialogue import AtAnswer

_LOCK = re.compile(r"(?:SIM PIN|SIM PUK|PH-[A-Z]+ (?:PIN|PUK))")
"""Without PIN2 and PUK2, which keep nobody from the network."""


def pin_command() -> AtCommand:
    """Return the command that asks what the modem waits for."""
    return AtCommand("AT+CPIN?", prefix="+CPIN")


def lock_told(answer: AtAnswer) -> str | None:
    """Return what the modem waits for, such as SIM PIN; None if nothing, or if it says something else."""
    for line in answer.lines:
        told = line.strip().strip('"').upper()
        if _LOCK.fullmatch(told):
            return told
    return None
