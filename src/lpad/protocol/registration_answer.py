"""A modem's answers and unsolicited reports about its registration with the network.

3GPP TS 27.007, 10.1.20 (+CGREG, 2G and 3G), 10.1.22 (+CEREG, 4G) and 10.1.47 (+C5GREG, 5G). +CREG, for calls,
is omitted: a modem that is registered only for calls cannot send data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.base.errors import MalformedError
from lpad.base.frozen import Frozen
from lpad.base.lazy_pattern import LazyPattern
from lpad.base.untrusted_number import matched_number
from lpad.protocol.at_dialogue import AtCommand

if TYPE_CHECKING:
    from lpad.protocol.at_dialogue import AtAnswer

NETWORKS = ("+CEREG", "+CGREG", "+C5GREG")
"""The commands, as the prefixes of their answers; the least widely supported one is last."""

NOT_REGISTERED = 0
DENIED = 3
_REGISTERED = (1, 5)
_STATUS = {
    0: "not registered",
    1: "registered at home",
    2: "searching",
    3: "denied",
    4: "unknown",
    5: "registered, roaming",
    6: "registered for SMS only",
    7: "registered for SMS only, roaming",
    8: "for emergency calls only",
}

# An answer begins with <n>,<stat>, an unsolicited report with <stat>. After the status comes the area:
# four hexadecimal digits or more, mostly in quotes.
_TOLD = LazyPattern(r"(?P<level>[0-9]),\s*(?P<status>[0-9]{1,2})(?:,.*)?")
_ANNOUNCED = LazyPattern(r"(?P<status>[0-9]{1,2})(?:,.*)?")


class Registration(Frozen):
    """The registration status in one kind of network, as last reported by the modem."""

    network: str
    """One of `NETWORKS`."""
    status: int
    level: int | None = None
    """The level of unsolicited reports, 0: none; None if the status came from an unsolicited report."""

    @property
    def registered(self) -> bool:
        """Whether the modem may send data: at home or roaming."""
        return self.status in _REGISTERED

    def __str__(self) -> str:
        return f"{self.network[1:]} {self.status} ({_STATUS.get(self.status, 'unknown')})"


def registration_command(network: str) -> AtCommand:
    """Return the command that asks for the registration status."""
    return AtCommand(f"AT{network}?", prefix=network)


def announcing_command(network: str, level: int) -> AtCommand:
    """Return the command that sets the level of unsolicited reports: 0 none, 1 the status."""
    return AtCommand(f"AT{network}={level}")


def registration_told(network: str, answer: AtAnswer) -> Registration:
    """Return the status in an answer; a change announced within the answer is ignored.

    Raises:
        MalformedError: no line contains level and status.
    """
    for line in reversed(answer.lines):
        match = _TOLD.fullmatch(line)
        if match is not None:
            return Registration(network, matched_number(match["status"]), matched_number(match["level"]))
    raise MalformedError(f"the modem's answer to AT{network}? contains no status")


def registration_announced(line: str) -> Registration | None:
    """Return the status in an unsolicited line; None for any other line."""
    network, _, rest = line.partition(":")
    match = _ANNOUNCED.fullmatch(rest.strip())
    if network.upper() not in NETWORKS or match is None:
        return None
    return Registration(network.upper(), matched_number(match["status"]))
