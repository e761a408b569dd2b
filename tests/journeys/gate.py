"""A gate between modem and card, which holds back an APDU so that a test can act at that moment."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from journeys.gateway import CARD, PATIENCE, Gateway
from lpad.base.errors import CardUnreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lpad.client import Change
    from lpad.simulator.euicc.card import SoftCard
    from lpad.simulator.modem.commands import Card

STORE_DATA = 0xE2
ENABLE = bytes.fromhex("BF31")
LAST_SEGMENT_STARTS = 0x86


class Gate:
    """A card that holds back an APDU before the real card gets it, or the real card's answer to it."""

    def __init__(self, card: Card) -> None:
        self._card = card
        self.held = threading.Event()
        self._go_on = threading.Event()
        self._awaited: Callable[[bytes], bool] | None = None
        self._after = False
        self._lost = False

    def hold(self, awaited: Callable[[bytes], bool], *, after: bool) -> None:
        """Hold the next APDU for which `awaited` is true, before the card gets it or after its answer."""
        self.held.clear()
        self._go_on.clear()
        self._after = after
        self._awaited = awaited

    def go_on(self) -> None:
        """Let the held APDU continue."""
        self._go_on.set()

    def lose(self) -> None:
        """Drop the held APDU before the card gets it, as in a power failure."""
        self._lost = True
        self.go_on()

    def transmit(self, apdu: bytes) -> bytes:
        hit = self._awaited is not None and self._awaited(apdu)
        if hit:
            self._awaited = None
        if hit and not self._after:
            self._wait()
            if self._lost:
                self._lost = False
                raise CardUnreachable("the APDU was lost")
        answer = self._card.transmit(apdu)
        if hit and self._after:
            self._wait()
        return answer

    def reset(self) -> bytes:
        return self._card.reset()

    def _wait(self) -> None:
        self.held.set()
        assert self._go_on.wait(PATIENCE)


@dataclass(frozen=True)
class Gated:
    """A gateway with a gate between its modem and its card."""

    gateway: Gateway
    gate: Gate

    def kill_while_loading(self, code: str) -> Change:
        """Begin a download, kill the daemon while it sends the profile to the card, and return the change."""
        self.gate.hold(loading, after=False)
        change = self.gateway.client.download(CARD, activation_code=code)
        assert self.gate.held.wait(PATIENCE)
        self.gateway.kill()
        self.gate.go_on()
        return change


@contextmanager
def gated_gateway(**options: Any) -> Iterator[Gated]:
    """Run a ready gateway with a gate; the options are those of `Gateway`."""
    gates: list[Gate] = []

    def wrap(card: SoftCard) -> Gate:
        gates.append(Gate(card))
        return gates[0]

    with Gateway(wrap=wrap, **options) as gateway:
        gateway.ready()
        yield Gated(gateway, gates[0])


def enabling(apdu: bytes) -> bool:
    """Return whether an APDU is EnableProfile."""
    return apdu[1] == STORE_DATA and apdu[5:7] == ENABLE


def loading(apdu: bytes) -> bool:
    """Return whether an APDU starts a segment with a part of the profile."""
    return apdu[1] == STORE_DATA and apdu[3] == 0 and apdu[5] == LAST_SEGMENT_STARTS
