"""Simulated modems with AT, MBIM and QMI ports and a card that has only an ICCID, for the applier `at`."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lpad.base.identifiers import Iccid
from lpad.card.at.at_link import open_at_link
from lpad.card.link.remembered_links import LinkMemory
from lpad.card.port.hotplug import PortWatch
from lpad.card.port_kinds import ModemPort
from lpad.card.qmi.qmi_link import open_qmi_link
from lpad.codec.mbim.data_connection import Connect
from lpad.codec.mbim.information_buffer import decode
from lpad.codec.mbim.messages import Action, Command
from lpad.codec.mbim.services import BASIC_CONNECT, Basic
from lpad.codec.qmi.data_session import StartNetwork
from lpad.codec.qmi.message_parameters import decode as decode_parameters
from lpad.engine.running.card.card_with_open_link import Card, CardPort
from lpad.engine.running.card.modem_for_appliers import ModemAtHand
from lpad.simulator.mbim.control_port import MbimModem
from lpad.simulator.modem.personality import ModemPersonality
from lpad.simulator.modem.pty_modem import PtyModem
from lpad.simulator.qmi.behaviour import QmiBehaviour
from lpad.simulator.qmi.control_port import QmiModem
from network.applier_contract import NEW

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lpad.simulator.mbim.behaviour import MbimBehaviour

_READ_BINARY = 0xB0


class IccidCard:
    """A card that answers every command with 9000, and READ BINARY with its ICCID."""

    def __init__(self, iccid: str) -> None:
        self.iccid = iccid

    def transmit(self, apdu: bytes) -> bytes:
        data = bytes(Iccid.parse(self.iccid)) if apdu[1] == _READ_BINARY else b""
        return data + b"\x90\x00"

    def reset(self) -> bytes:
        return b"\x3b\x00"


@dataclass
class Rig:
    """A modem with an AT port, and how an applier reaches it."""

    modem: PtyModem
    card: IccidCard
    at_hand: ModemAtHand
    held: Card

    @property
    def apn(self) -> str:
        """The APN of context 1, with which the modem attaches."""
        return self.modem.contexts[1][1]

    def sent(self, beginning: str) -> list[str]:
        """Return the commands that the modem has received and that begin with the given text."""
        return [each for each in self.modem.received if each.upper().startswith(beginning.upper())]


@contextmanager
def rig(folder: Path, **habits: Any) -> Iterator[Rig]:
    """Switch on a modem with an AT port and the given habits."""
    card = IccidCard(NEW)
    with PtyModem(card, path=folder / "tty", personality=ModemPersonality(**habits)) as modem:
        path = str(folder / "tty")
        held = Card(
            CardPort(
                name="modem", transport="AT", device=path, open_link=lambda _deadline: open_at_link(path)
            )
        )
        try:
            yield Rig(modem, card, ModemAtHand(held), held)
        finally:
            held.drop()


@dataclass
class MbimRig:
    """A modem with an MBIM port, and how an applier reaches it."""

    modem: MbimModem
    at_hand: ModemAtHand
    held: Card

    @property
    def sessions(self) -> list[Connect]:
        """The received requests to open or close the data session."""
        return [
            decode(Connect, each.info)
            for each in self.modem.received
            if isinstance(each, Command)
            and (each.service, each.cid, each.action) == (BASIC_CONNECT, Basic.CONNECT, Action.SET)
        ]


@contextmanager
def mbim_rig(
    folder: Path, *, port: str | None = None, mbim: MbimBehaviour | None = None, **differences: Any
) -> Iterator[MbimRig]:
    """Switch on a modem with an MBIM port; `port`: the main port, if MBIM is its fallback."""
    path = str(folder / "cdc-wdm0")
    there = ModemPort(path=port or path, fallbacks=() if port is None else (path,))
    open_link = there.way(memory=None, folder=None, watch=PortWatch()).open_link
    several = port is not None
    personality = ModemPersonality(**differences)
    with MbimModem(IccidCard(NEW), path=path, personality=personality, behaviour=mbim) as modem:
        where = CardPort(
            name="modem", transport="MBIM", open_link=open_link, device=there.path, several_ports=several
        )
        held = Card(where)
        try:
            yield MbimRig(modem, ModemAtHand(held), held)
        finally:
            held.drop()


@dataclass
class QmiRig:
    """A modem with a QMI port, and how an applier reaches it."""

    modem: QmiModem
    at_hand: ModemAtHand
    held: Card

    @property
    def started(self) -> list[StartNetwork]:
        """The received requests to start a data session."""
        wanted = (StartNetwork.SERVICE, StartNetwork.MESSAGE)
        return [
            decode_parameters(StartNetwork, each.parameters)
            for each in self.modem.received
            if (each.service, each.number) == wanted
        ]

    @property
    def calls(self) -> list[tuple[int, str]]:
        """The IP version and the APN of each data session that is up."""
        return sorted(
            (each.family, each.bearer.apn) for each in self.modem.function.calls.of_clients.values()
        )


@contextmanager
def qmi_rig(folder: Path, *, modem: dict[str, Any] | None = None, **habits: Any) -> Iterator[QmiRig]:
    """Switch on a modem with a QMI port and the given habits; `modem`: the habits of the QMI port."""
    path = str(folder / "wwan0qmi0")
    made = QmiBehaviour(**(modem or {}))
    personality = ModemPersonality(**habits)
    with QmiModem(IccidCard(NEW), path=path, personality=personality, behaviour=made) as qmi:
        memory = LinkMemory(folder / "links")
        held = Card(
            CardPort(
                name="modem",
                transport="QMI",
                device=path,
                open_link=lambda _deadline: open_qmi_link(path, memory=memory),
            )
        )
        try:
            yield QmiRig(qmi, ModemAtHand(held), held)
        finally:
            held.drop()
