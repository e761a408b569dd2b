"""Card, modem, services and server that record events independently of lpad."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from lpad.simulator.modem.pty_modem import PtyModem
from lpad.simulator.smdp.server import SmDp
from network.gateway_double import GatewayDouble

if TYPE_CHECKING:
    from dbus_fast import Message

    from faults.device.step_counter import Peer, StepCounter
    from lpad.simulator.euicc.card import SoftCard
    from lpad.simulator.smdp.functions.faults import ActiveFaults
    from lpad.simulator.smdp.functions.function_table import HttpAnswer


class WatchedCard:
    """A link between modem and card that reports each APDU, and remembers each notification of the card."""

    def __init__(self, card: SoftCard, step_counter: StepCounter) -> None:
        self._card = card
        self._step_counter = step_counter
        self.issued: dict[str, int] = {}
        """Sequence numbers by the SHA-256 digest, in hex, of each notification's signed bytes."""
        self._note()

    def transmit(self, apdu: bytes) -> bytes:
        """Pass an APDU to the card, and return its answer."""
        self._step_counter.apdu()
        try:
            return self._card.transmit(apdu)
        finally:
            self._note()

    def reset(self) -> bytes:
        """Reset the card, and return its ATR."""
        answer = self._card.reset()
        self._note()
        return answer

    def _note(self) -> None:
        for each in self._card.notifications:
            self.issued.setdefault(hashlib.sha256(each.signed).hexdigest(), each.number)


class WatchedModem(PtyModem):
    """A modem that reports each command line."""

    step_counter: StepCounter

    def _serve(self, line: str) -> None:
        if line:
            self.step_counter.line()
        super()._serve(line)

    def at_next(self, *, vanish: bool = False, executed: bool = True) -> None:
        """Arm a fault for the next line."""
        self.once("", vanish=vanish, executed=executed)


class WatchedGateway(GatewayDouble):
    """NetworkManager and ModemManager that report each call, and each return of the modem."""

    step_counter: StepCounter

    def _modem_manager(self, message: Message) -> Message | None:
        answer = super()._modem_manager
        return self.step_counter.call(lambda: answer(message))

    def _network_manager(self, message: Message) -> Message | None:
        answer = super()._network_manager
        return self.step_counter.call(lambda: answer(message))

    def _lifted(self) -> None:
        super()._lifted()
        self.step_counter.call(lambda: None)


class WatchedServer(SmDp):
    """An SM-DP+ that reports each message."""

    step_counter: StepCounter
    peer: Peer[HttpAnswer]

    def carry_out(self, function: str, body: bytes, faults: ActiveFaults) -> HttpAnswer:
        """Carry out an ES9+ function, unless the step counter makes a cut, and return the answer."""
        carry_out = super().carry_out
        return self.step_counter.message(lambda: carry_out(function, body, faults), peer=self.peer)

    @property
    def received(self) -> dict[str, list[tuple[int, str]]]:
        """The number and digest of each accepted notification, by recipient, in order of arrival."""
        queues: dict[str, list[tuple[int, str]]] = {}
        for each in self.notifications:
            if not each.duplicate:
                queues.setdefault(each.address, []).append((each.sequence_number, each.digest))
        return queues
