"""The step counter, which counts the steps of a scenario at all peers, and makes a cut at one step."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from faults.injected.cut_kinds import Counted, Cut, Kind, Outage
from lpad.simulator.smdp.functions.faults import TlsIdentity
from lpad.simulator.smdp.functions.function_table import HttpAnswer

if TYPE_CHECKING:
    from collections.abc import Callable

    from dbus_fast import Message

    from faults.device.network_relay import Network
    from lpad.simulator.euicc.chip.faults import CardFaults

_Answer = TypeVar("_Answer")
_STATUSES = {
    Outage.HTTP_500: HTTPStatus.INTERNAL_SERVER_ERROR,
    Outage.HTTP_503: HTTPStatus.SERVICE_UNAVAILABLE,
}
_GARBAGE = HttpAnswer(HTTPStatus.OK, b"\x00\xff}garbage{", "application/octet-stream")


@dataclass(slots=True, kw_only=True)
class Peer(Generic[_Answer]):
    """A server that the daemon talks to.

    Attributes:
        network: the relay in front of the server.
        show: makes the server present a certificate.
        answer: converts an SM-DP+'s answer into the form that this server sends.
    """

    network: Network
    show: Callable[[TlsIdentity], None]
    answer: Callable[[HttpAnswer], _Answer]


class StepCounter:
    """Counts each APDU, command line, call, run and message; called from the threads that handle them."""

    def __init__(self, *, kill: Callable[[], None], faults: CardFaults) -> None:
        """Create a counter that does not count yet.

        Args:
            kill: kills the daemon.
            faults: the card's faults.
        """
        self.peers: list[Peer[Any]] = []
        self.end_services: Callable[[], None] = lambda: None
        """Makes NetworkManager and ModemManager end after the current call."""
        self.on_step: Callable[[], None] = lambda: None
        """Called at each counted step."""
        self.hit = threading.Event()
        """Set when this counter makes the cut."""
        self._kill = kill
        self._faults = faults
        self._lock = threading.Lock()
        self._cut: Cut | None = None
        self._armed = False
        self._counts = dict.fromkeys(Counted, 0)
        self._answers: HttpAnswer | None = None

    def arm(self, cut: Cut | None) -> None:
        """Start counting steps, and make the cut at its step; None: only count."""
        self._cut = cut
        self._armed = True

    def disarm(self) -> None:
        """Stop counting, and make no further cut."""
        self._armed = False

    def counted(self, what: Counted) -> int:
        """Return the number of steps of one kind since `arm`."""
        return self._counts[what]

    def _here(self, what: Counted) -> Cut | None:
        """Count a step; return the cut if it must be made now, otherwise None."""
        with self._lock:
            if not self._armed:
                return None
            self._counts[what] += 1
            self.on_step()
            cut = self._cut
            if cut is None or cut.counted is not what or cut.place != self._counts[what]:
                return None
            if cut.kind in (Kind.PORT_BEFORE, Kind.PORT_AFTER):
                return None  # the modem itself makes these cuts
        self.hit.set()
        return cut

    # The card's side.

    def apdu(self) -> None:
        """Count an APDU that has reached the card, and make the cut if it is due."""
        cut = self._here(Counted.APDUS)
        if cut is None:
            return
        if cut.kind in (Kind.KILL_APDU, Kind.MAINS):
            self._kill()
        if cut.kind is not Kind.KILL_APDU:
            self._faults.lose_power_after(0, executed=cut.kind is Kind.POWER_AFTER)

    # The modem's side.

    def line(self) -> None:
        """Count a command line that has reached the modem, and make the cut if it is due."""
        cut = self._here(Counted.LINES)
        if cut is not None and cut.kind is Kind.KILL_LINE:
            self._kill()

    # The runner's side.

    def run(self) -> None:
        """Count a request that has reached the runner of the owner's hooks, and make the cut if it is due."""
        if self._here(Counted.RUNS) is not None:
            self._kill()

    # The side of NetworkManager and ModemManager.

    def call(self, execute: Callable[[], Message | None]) -> Message | None:
        """Count a call to NetworkManager or ModemManager; return the answer, or None if a cut prevents it."""
        cut = self._here(Counted.CALLS)
        if cut is None:
            return execute()
        if cut.kind is Kind.KILL_CALL:
            self._kill()
            return execute()
        if cut.kind is Kind.BUS_AFTER:
            execute()
        self.end_services()
        return None

    # The servers' side.

    def message(self, execute: Callable[[], _Answer], *, peer: Peer[_Answer]) -> _Answer:
        """Count a message that has reached a server, make the cut if it is due, and return the answer.

        Raises:
            ConnectionResetError: the cut prevents an answer.
        """
        cut = self._here(Counted.MESSAGES)
        if cut is None:
            return execute() if self._answers is None else peer.answer(self._answers)
        if cut.kind is Kind.KILL_SENT:
            self._kill()
        elif cut.kind is Kind.KILL_RECEIVED:
            answer = execute()
            peer.network.when_answered(self._kill)
            return answer
        elif cut.outage is not None:
            if cut.kind is Kind.SERVER_AFTER:
                execute()
            return peer.answer(self._fail(cut.outage))
        return execute()

    def _fail(self, outage: Outage) -> HttpAnswer:
        status = _STATUSES.get(outage)
        if status is not None or outage is Outage.GARBAGE:
            self._answers = _GARBAGE if status is None else HttpAnswer(status)
            return self._answers
        for each in self.peers:
            if outage is Outage.UNTRUSTED:
                each.show(TlsIdentity.UNKNOWN_CA)
                each.network.cut()
            else:
                each.network.fail(outage)
        raise ConnectionResetError

    def server_is_back(self) -> None:
        """Let all servers answer as usual."""
        self._answers = None
        for each in self.peers:
            each.show(TlsIdentity.GOOD)
            each.network.come_back()
