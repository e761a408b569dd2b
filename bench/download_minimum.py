"""The minimum that a download needs on the card's interface and on the serial line.

The minimum follows from SGP.22, not from what lpad has sent: one ISD-R session, each function as often as a
download needs it, each segment of the bound profile package as its own chain of STORE DATA blocks (SGP.22
v2.5, 2.5.5 and 5.7.2), each answer in the largest possible pieces if the card returns it by GET RESPONSE, and
each APDU in one AT+CSIM line with the echo off.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

STORE_DATA = 0xE2
GET_RESPONSE = 0xC0
MORE_BLOCKS = 0x11
LARGEST_BLOCK = 255
LARGEST_ANSWER = 256

# The minimum number of calls of each function in a download: authenticate and prepare; copy the two
# notifications of the installation (the card's result and one more), and remove both from the card; read the
# new state. A segment of the package has no function tag.
NEEDED = {
    "BF20": 1,  # GetEuiccInfo1
    "BF2E": 1,  # GetEuiccChallenge
    "BF38": 1,  # AuthenticateServer
    "BF21": 1,  # PrepareDownload
    "BF28": 1,  # ListNotification
    "BF2B": 1,  # RetrieveNotificationsList
    "BF30": 2,  # RemoveNotificationFromList
    "BF2D": 1,  # GetProfilesInfo
    "BF22": 1,  # GetEuiccInfo2: the remaining memory
}
SEGMENT = "segment"
SESSION_APDUS = 3  # MANAGE CHANNEL open, SELECT, MANAGE CHANNEL close


@dataclass(frozen=True, slots=True)
class Exchange:
    """One command APDU as the card received it, with the card's response."""

    command: bytes
    response: bytes
    seconds: float
    """The time in seconds that the card itself needed."""


@dataclass(slots=True)
class Call:
    """One ES10 command or segment, joined from its APDUs."""

    data: bytes
    fetched: int = 0
    """The number of bytes of the answer that were read with GET RESPONSE."""

    @property
    def name(self) -> str:
        """The function's tag in hex, or `segment`."""
        tag = self.data[:2].hex().upper()
        return tag if self.data[0] == 0xBF and tag != "BF36" else SEGMENT


def calls(log: list[Exchange]) -> list[Call]:
    """Join STORE DATA blocks to the commands that they carried, and count the bytes read by GET RESPONSE."""
    found: list[Call] = []
    parts = b""
    for exchange in log:
        apdu = exchange.command
        if apdu[1] == GET_RESPONSE and found:
            found[-1].fetched += len(exchange.response) - 2
        elif apdu[1] == STORE_DATA:
            parts += apdu[5 : 5 + apdu[4]]
            if apdu[2] != MORE_BLOCKS:
                found.append(Call(parts))
                parts = b""
    return found


def least_apdus(log: list[Exchange]) -> int:
    """Return the minimum number of APDUs for a download with these commands.

    Calls beyond the number in `NEEDED`, and functions missing from `NEEDED`, are not part of the minimum.
    """
    seen: Counter[str] = Counter()
    total = SESSION_APDUS
    for call in calls(log):
        seen[call.name] += 1
        if call.name == SEGMENT or seen[call.name] <= NEEDED.get(call.name, 0):
            total += _pieces(len(call.data), LARGEST_BLOCK) + _pieces(call.fetched, LARGEST_ANSWER)
    return total


def least_characters(log: list[Exchange]) -> tuple[int, int]:
    """Return the number of characters that these APDUs need in AT+CSIM, to the modem and from it."""
    there = sum(len(f'AT+CSIM={2 * len(e.command)},"{e.command.hex()}"\r') for e in log)
    back = sum(len(f'\r\n+CSIM: {2 * len(e.response)},"{e.response.hex()}"\r\n\r\nOK\r\n') for e in log)
    return there, back


def functions(log: list[Exchange]) -> dict[str, int]:
    """Return the number of calls of each function by its tag, and the number of segments."""
    return dict(Counter(call.name for call in calls(log)))


def _pieces(length: int, largest: int) -> int:
    return -(-length // largest)
