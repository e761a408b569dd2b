"""A cut: its kind, and the step of the daemon at which it is made."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping


class Counted(enum.StrEnum):
    """The units in which the place of a cut is counted; counting begins with the request for the change."""

    WRITES = "writes"
    COMMITS = "commits"
    """COMMITs of the journal."""
    APDUS = "apdus"
    LINES = "lines"
    """Command lines on the modem's port."""
    MESSAGES = "messages"
    """Requests that reach a server: the SM-DP+ or the platform."""
    CALLS = "calls"
    """Method calls that reach NetworkManager or ModemManager."""
    RUNS = "runs"
    """Requests that reach the runner of the owner's hooks."""


class Outage(enum.StrEnum):
    """The kinds of failures of a server or of the network."""

    REFUSED = "refused"
    RESET = "reset"
    STALLED = "stalled"
    TLS = "tls"
    """The peer does not speak TLS."""
    UNTRUSTED = "untrusted"
    """The peer has an untrusted certificate."""
    HTTP_500 = "500"
    HTTP_503 = "503"
    GARBAGE = "garbage"


class Kind(enum.StrEnum):
    """The kinds of cuts."""

    KILL_WRITE = "kill-write"
    """kill -9 of the daemon at a write of its journal or of another file in its state folder."""
    TORN_WRITE = "torn-write"
    """The power fails after a COMMIT is written and before it is synced: kill -9, and half the data is on
    disk."""
    FLIP = "flip"
    """The power fails after a COMMIT: kill -9, and one bit of the journal's files is wrong afterwards."""
    KILL_APDU = "kill-apdu"
    """kill -9 when an APDU has reached the card; the card carries out the APDU."""
    KILL_LINE = "kill-line"
    """kill -9 when a command line has reached the modem; the modem carries it out."""
    KILL_CALL = "kill-call"
    """kill -9 when a call has reached NetworkManager or ModemManager; the service carries it out."""
    KILL_RUN = "kill-run"
    """kill -9 when a request has reached the runner, which ends the hooks of a disconnected client."""
    KILL_SENT = "kill-sent"
    """kill -9 when a message has reached the server; the server carries it out."""
    KILL_RECEIVED = "kill-received"
    """kill -9 when the server's answer has reached the daemon."""
    MAINS = "mains"
    """The whole device loses its power: kill -9, and the card never sees the APDU."""
    POWER_BEFORE = "power-before"
    """The card loses its power and does not carry out the APDU."""
    POWER_AFTER = "power-after"
    """The card carries out the APDU and loses its power before it answers."""
    PORT_BEFORE = "port-before"
    """The port vanishes, and the modem does not carry out the command line."""
    PORT_AFTER = "port-after"
    """The modem carries out the command line, and the port vanishes before the answer."""
    DISK = "disk"
    """The disk is full from a given write on."""
    DISK_KILL = "disk-kill"
    """The disk is full from a given COMMIT on; kill -9 when the change has ended, or after a time limit."""
    BUS_BEFORE = "bus-before"
    """NetworkManager and ModemManager end, and do not carry out the call."""
    BUS_AFTER = "bus-after"
    """NetworkManager or ModemManager carries out the call, and both end before the answer."""
    SERVER_BEFORE = "server-before"
    """The server or the network fails, and the server does not carry out the message."""
    SERVER_AFTER = "server-after"
    """The server carries out the message; then the server or the network fails before the answer."""


FILLS = frozenset({Kind.DISK, Kind.DISK_KILL})
"""Kinds of cuts that need a small disk."""
KILLS = frozenset(
    {
        Kind.KILL_WRITE,
        Kind.TORN_WRITE,
        Kind.FLIP,
        Kind.KILL_APDU,
        Kind.KILL_LINE,
        Kind.KILL_CALL,
        Kind.KILL_RUN,
        Kind.KILL_SENT,
        Kind.KILL_RECEIVED,
        Kind.MAINS,
        Kind.DISK_KILL,
    }
)
"""Kinds of cuts after which the daemon must be restarted."""

COUNTED: Mapping[Kind, Counted] = {
    Kind.KILL_WRITE: Counted.WRITES,
    Kind.TORN_WRITE: Counted.COMMITS,
    Kind.FLIP: Counted.COMMITS,
    Kind.KILL_APDU: Counted.APDUS,
    Kind.KILL_LINE: Counted.LINES,
    Kind.KILL_CALL: Counted.CALLS,
    Kind.KILL_RUN: Counted.RUNS,
    Kind.KILL_SENT: Counted.MESSAGES,
    Kind.KILL_RECEIVED: Counted.MESSAGES,
    Kind.MAINS: Counted.APDUS,
    Kind.POWER_BEFORE: Counted.APDUS,
    Kind.POWER_AFTER: Counted.APDUS,
    Kind.PORT_BEFORE: Counted.LINES,
    Kind.PORT_AFTER: Counted.LINES,
    Kind.DISK: Counted.WRITES,
    Kind.DISK_KILL: Counted.COMMITS,
    Kind.BUS_BEFORE: Counted.CALLS,
    Kind.BUS_AFTER: Counted.CALLS,
    Kind.SERVER_BEFORE: Counted.MESSAGES,
    Kind.SERVER_AFTER: Counted.MESSAGES,
}


@dataclass(frozen=True, slots=True)
class Cut:
    """One cut; its text is `kind:place` or `kind:place:outage`.

    Attributes:
        kind: the kind of cut.
        place: the number of the step, from 1.
        outage: the kind of failure of server or network; None for other kinds of cuts.
    """

    kind: Kind
    place: int
    outage: Outage | None = None

    def __str__(self) -> str:
        return ":".join([self.kind, str(self.place), *([self.outage] if self.outage else [])])

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a cut from its text.

        Raises:
            ValueError: the text is not a cut.
        """
        kind, place, *outage = text.split(":")
        return cls(Kind(kind), int(place), Outage(outage[0]) if outage else None)

    @property
    def counted(self) -> Counted:
        """The unit in which `place` is counted."""
        return COUNTED[self.kind]

    @property
    def kills(self) -> bool:
        """Whether the daemon must be restarted after the cut."""
        return self.kind in KILLS


def every_cut(counts: Mapping[Counted, int]) -> list[Cut]:
    """Return all cuts of a scenario that takes these numbers of steps in a run without a cut."""
    cuts = []
    for kind, counted in COUNTED.items():
        outages = list(Outage) if kind in (Kind.SERVER_BEFORE, Kind.SERVER_AFTER) else [None]
        cuts += [Cut(kind, place, each) for place in range(1, counts[counted] + 1) for each in outages]
    return cuts
