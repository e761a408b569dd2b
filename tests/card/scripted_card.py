"""A small card double: channels, applications, STORE DATA chains, and scripted answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lpad.base.identifiers import ISD_R, Imei
from lpad.protocol.apdu import Command, channel_of

if TYPE_CHECKING:
    from lpad.base.deadline import Deadline

IMEI = Imei.parse("490154203237518")


@dataclass
class ScriptedCard:
    """Answers ES10 commands from `answers`, and all others according to ISO 7816-4."""

    answers: dict[bytes, bytes] = field(default_factory=dict)
    """ES10 command -> response data; unknown commands get none."""
    status: int = 0x9000
    """The status word after a complete ES10 command."""
    applications: tuple[bytes, ...] = (bytes(ISD_R),)
    free_channels: list[int] = field(default_factory=lambda: [1, 2, 3])
    taken: set[int] = field(default_factory=set)
    """Channels that another program keeps open, even across a reset."""
    portion: int | None = None
    """Bytes returned by one GET RESPONSE (61xx); None: all data immediately."""
    asks_for_length: bool = False
    """Whether the card answers 6Cxx before it returns data."""
    needs_le: bool = False
    """Whether data are returned only if Le is sent."""
    endless: bool = False
    """Whether the card promises more data forever."""
    refusals: dict[bytes, int] = field(default_factory=dict)
    """ES10 command -> status word of its refusal."""
    unknown_instruction: int = 0x6D00
    """Status word of an application that does not know STORE DATA."""
    chain_status: int = 0x9000
    """Status word after a block that is not the last."""
    fci_waits: bool = True
    """Whether the card answers SELECT with 61xx."""

    longest_block: int = 255
    """Bytes of data in a command; longer ones are refused for their length."""

    proactive: bytes = b""
    """The proactive command that FETCH returns."""

    sent: list[Command] = field(default_factory=list)
    commands: list[bytes] = field(default_factory=list)
    """The complete ES10 commands that arrived."""
    open: set[int] = field(default_factory=set)
    selected: dict[int, bytes] = field(default_factory=dict)
    """The applications selected on the channels; the modem may have selected one itself."""
    resets: int = 0
    _chains: dict[int, list[bytes]] = field(default_factory=dict)
    _waiting: dict[int, bytes] = field(default_factory=dict)

    def reset(self) -> bytes:
        """Close all channels, as a reset does; return the ATR."""
        self.resets += 1
        self.free_channels += sorted(self.open)
        self.open.clear()
        self.selected.clear()
        self._chains.clear()
        self._waiting.clear()
        return bytes.fromhex("3B9F96801FC78031E073FE211B63")

    def transmit(self, apdu: bytes, *, deadline: Deadline | None = None) -> bytes:
        """Carry out a command APDU; return data and status word."""
        command = Command.parse(apdu)
        self.sent.append(command)
        channel = channel_of(command.cla)
        if channel and channel not in self.open | self.taken:
            return b"\x68\x81"
        if command.ins != 0xC0:
            self._waiting.pop(channel, None)
        match command.ins:
            case 0x70:
                return self._manage_channel(command)
            case 0xA4:
                return self._select(channel, command)
            case 0xE2:
                return self._store_data(channel, command)
            case 0xC0:
                return self._hand_over(channel, command.le)
            case 0x12:
                return self.proactive + b"\x90\x00"
            case 0x14:
                return b"\x90\x00"
            case 0xF2:
                selected = "8400" if channel in self.selected else "83023F00"
                return bytes.fromhex(f"62{len(selected) // 2:02X}{selected}9000")
        return b"\x6d\x00"

    def _manage_channel(self, command: Command) -> bytes:
        if command.p1 == 0x80:
            number = command.p2 or channel_of(command.cla)
            if number not in self.open:
                return b"\x68\x81"
            self.open.remove(number)
            self.selected.pop(number, None)
            self.free_channels.append(number)
            return b"\x90\x00"
        if not self.free_channels:
            return b"\x6a\x81"
        number = self.free_channels.pop(0)
        self.open.add(number)
        return bytes([number]) + b"\x90\x00"

    def _select(self, channel: int, command: Command) -> bytes:
        if command.data not in self.applications:
            return b"\x6a\x82"
        self.selected[channel] = command.data
        if not self.fci_waits:
            return bytes.fromhex("6F009000")
        self._waiting[channel] = bytes.fromhex("6F00")
        return b"\x61\x02"

    def _store_data(self, channel: int, command: Command) -> bytes:
        if self.selected.get(channel) not in self.applications:
            return self.unknown_instruction.to_bytes(2, "big")
        if len(command.data) > self.longest_block:
            return b"\x67\x00"
        if not self._take(channel, command):
            return b"\x6a\x86"
        if command.p1 == 0x11:
            return self.chain_status.to_bytes(2, "big")
        whole = b"".join(self._chains[channel])
        if self.asks_for_length and command.le is None and whole in self.answers:
            return bytes([0x6C, len(self.answers[whole]) & 0xFF])
        if self.needs_le and command.le is None and whole in self.answers:
            return b"\x90\x00"
        self.commands.append(whole)
        if whole in self.refusals:
            return self.refusals[whole].to_bytes(2, "big")
        data = self.answers.get(whole, b"")
        if not data or (self.portion is None and not self.endless):
            return data + self.status.to_bytes(2, "big")
        self._waiting[channel] = data
        return bytes([0x61, min(len(data), self.portion or 256) & 0xFF])

    def _take(self, channel: int, command: Command) -> bool:
        """Add a block to its chain, unless Le marks a repetition; return whether the block is in order."""
        again = self.asks_for_length and command.le is not None
        if command.p2 == 0 and not again:
            self._chains[channel] = []
        chain = self._chains.setdefault(channel, [])
        if not again and command.p2 == len(chain):
            chain.append(command.data)
            return True
        return again

    def _hand_over(self, channel: int, le: int | None) -> bytes:
        waiting = self._waiting.get(channel)
        if waiting is None:
            return b"\x69\x85"
        if self.endless:
            return b"\x61\x10"
        data, rest = waiting[: le or 256], waiting[le or 256 :]
        self._waiting[channel] = rest
        if rest:
            return data + bytes([0x61, min(len(rest), self.portion or 256) & 0xFF])
        return data + self.status.to_bytes(2, "big")


class BenchDevice:
    """A device that contains a card and has an IMEI."""

    def __init__(self) -> None:
        self.closed = 0

    def imei(self, *, deadline: Deadline) -> Imei | None:
        """Return the IMEI."""
        return IMEI

    def close(self) -> None:
        """Count the calls of `close`."""
        self.closed += 1
