"""The AT commands for the speed of a modem's serial line (ITU-T V.250, 6.2.10)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.base.lazy_pattern import LazyPattern
from lpad.base.untrusted_number import whole_number
from lpad.protocol.at_dialogue import AtCommand

if TYPE_CHECKING:
    from lpad.protocol.at_dialogue import AtAnswer

AUTOMATIC = 0
"""The value of +IPR with which a modem detects the speed of each command line."""
LARGEST_RATE = 4_000_000
"""The fastest speed that Linux has a name for, in bits per second."""

_PREFIX = "+IPR"
_RATES = LazyPattern(r"([0-9]+)(?:\s*-\s*([0-9]+))?")


def set_line_rate(rate: int) -> AtCommand:
    """Return the command that sets the speed in bits per second.

    Most modems answer at the previous speed, and some at the new speed.
    """
    return AtCommand(f"AT{_PREFIX}={rate}")


def line_rate() -> AtCommand:
    """Return the command that asks for the speed."""
    return AtCommand(f"AT{_PREFIX}?", prefix=_PREFIX)


def line_rate_told(answer: AtAnswer) -> int | None:
    """Return the speed in bits per second, or `AUTOMATIC`; None if the answer has no number."""
    return whole_number(answer.lines[-1].strip(), most=LARGEST_RATE) if answer.lines else None


def line_rates() -> AtCommand:
    """Return the command that asks for the speeds that can be set."""
    return AtCommand(f"AT{_PREFIX}=?", prefix=_PREFIX)


def offers_line_rate(answer: AtAnswer, rate: int) -> bool:
    """Return whether the answer to `line_rates` contains a speed, in a list or in a range."""
    for line in answer.lines:
        for match in _RATES.finditer(line):
            least = whole_number(match[1], most=LARGEST_RATE)
            most = whole_number(match[2], most=LARGEST_RATE) if match[2] else least
            if least is not None and most is not None and least <= rate <= most:
                return True
    return False
