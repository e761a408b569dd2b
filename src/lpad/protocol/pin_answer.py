"""A modem's answer to the query whether the SIM or the modem is locked (3GPP TS 27.007, 8.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.base.lazy_pattern import LazyPattern
from lpad.protocol.at_dialogue import AtCommand

if TYPE_CHECKING:
    from lpad.protocol.at_dialogue import AtAnswer

_LOCK = LazyPattern(r"(?:SIM PIN|SIM PUK|PH-[A-Z]+ (?:PIN|PUK))")
"""The locks, except PIN2 and PUK2, which do not prevent registration."""


def pin_command() -> AtCommand:
    """Return the command that asks whether the SIM or the modem is locked."""
    return AtCommand("AT+CPIN?", prefix="+CPIN")


def lock_told(answer: AtAnswer) -> str | None:
    """Return the lock that the modem reports, such as SIM PIN.

    None if no lock prevents registration, or if the answer is unknown.
    """
    for line in answer.lines:
        told = line.strip().strip('"').upper()
        if _LOCK.fullmatch(told):
            return told
    return None
