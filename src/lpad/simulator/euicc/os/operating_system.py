"""The UICC's operating system: logical channels, selection, and dispatching of instructions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lpad.base.errors import MalformedError
from lpad.codec.asn1 import tlv
from lpad.simulator.euicc.chip.proactive import Proactive
from lpad.simulator.euicc.chip.status_word import Refusal, StatusWord
from lpad.simulator.euicc.isdr.euicc_information import version
from lpad.simulator.euicc.isdr.isdr import Isdr
from lpad.simulator.euicc.os.answer_delivery import Answering
from lpad.simulator.euicc.os.apdu import Command
from lpad.simulator.euicc.os.file_selection import MF, FileSystem
from lpad.simulator.euicc.os.profile_files import ProfileFiles

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.simulator.euicc.chip.euicc_contents import Chip
    from lpad.simulator.euicc.chip.nonvolatile_state import StoredProfile

_GET_RESPONSE = 0xC0
_STORE_DATA = 0xE2
_BY_NAME, _BY_IDENTIFIER, _BY_PATH, _BY_PATH_FROM_HERE = 0x04, 0x00, 0x08, 0x09
_NO_ANSWER_WANTED = 0x0C
_OCCURRENCE, _NEXT, _PREVIOUS = 0x03, 0x02, 0x03
"""Bits of P2: first or only, last, next and previous (ISO/IEC 7816-4, 7.1.1)."""
_OPEN, _CLOSE = 0x00, 0x80
_LAST_BLOCK, _BER_TLV_ANSWERED = 0x80, 0x11
_LPA_IN_DEVICE = 0x07
"""Bits of TERMINAL CAPABILITY's 83: LUId, LPDd and LDSd."""


@dataclass(slots=True)
class _Channel:
    isdr: bool = False
    files: FileSystem = field(default_factory=FileSystem)
    chain: bytes = b""
    next_block: int = 0

    def start_over(self) -> None:
        self.chain = b""
        self.next_block = 0


class OperatingSystem:
    """A powered card; the state in this object is lost without power."""

    def __init__(self, chip: Chip) -> None:
        """Start as after a reset: the basic channel is open, and the master file is selected."""
        behaviour = chip.behaviour
        self._chip = chip
        self._proactive = Proactive(behaviour.refresh_qualifier)
        self._isdr = Isdr(chip, self._proactive)
        self._isdr_aid = bytes.fromhex(behaviour.isdr_aid)
        self._channels = {0: _Channel()}
        self._read: tuple[bytes, ProfileFiles] | None = None
        self._answering = Answering(behaviour.answers, behaviour.portion, self._closing_status)
        self._lpa_in_device = False
        # Instruction, and whether its class is ISO's (False) or GlobalPlatform's and ETSI's (True).
        self._instructions: dict[tuple[int, bool], Callable[[Command], bytes]] = {
            (0x70, False): self._manage_channel,
            (0xA4, False): self._select,
            (0xB0, False): self._read_binary,
            (0xB2, False): self._read_record,
            (0x10, True): self._terminal_profile,
            (0x12, True): self._fetch,
            (0x14, True): self._terminal_response,
            (0xAA, True): self._terminal_capability,
            (_STORE_DATA, True): self._store_data,
            (0xF2, True): self._status,
        }
        self._known = {instruction for instruction, _ in self._instructions}

    @property
    def open_channels(self) -> tuple[int, ...]:
        """The open logical channels in addition to the basic one."""
        return tuple(sorted(self._channels.keys() - {0}))

    def transmit(self, apdu: bytes) -> bytes:
        """Return the answer to one command."""
        try:
            return self._answer(Command.parse(apdu))
        except Refusal as refusal:
            return refusal.status.to_bytes(2, "big")

    def _answer(self, command: Command) -> bytes:
        if command.channel not in self._channels:
            raise Refusal(StatusWord.NO_CHANNEL, f"channel {command.channel} is not open")
        if command.ins == _GET_RESPONSE:
            return self._answering.get_response(command)
        repeated = self._answering.repeated(command)
        if repeated is not None:
            return repeated
        self._answering.forget()
        data = self._carry_out(command)
        if self._chip.behaviour.data_needs_le and command.ins == _STORE_DATA and command.le is None:
            data = b""
        return self._answering.answer(command, data)

    def _carry_out(self, command: Command) -> bytes:
        instruction = self._instructions.get((command.ins, command.proprietary))
        if instruction is None:
            known = command.ins in self._known
            raise Refusal(
                StatusWord.CLA_NOT_SUPPORTED if known else StatusWord.INS_NOT_SUPPORTED,
                f"instruction {command.cla:02X} {command.ins:02X}",
            )
        return instruction(command)

    def _closing_status(self) -> int:
        pending = self._proactive.pending
        return StatusWord.OK if pending is None else 0x9100 | len(pending)

    @property
    def _enabled(self) -> StoredProfile | None:
        return self._chip.state.enabled

    @property
    def _files(self) -> ProfileFiles | None:
        """The enabled profile's files, read from its package on first use; None: no profile is enabled."""
        enabled = self._enabled
        if enabled is None:
            return None
        if self._read is None or self._read[0] != enabled.ef_iccid:
            package = self._chip.folder.read_package(enabled.iccid)
            self._read = enabled.ef_iccid, ProfileFiles.of(enabled, package)
        return self._read[1]

    def _manage_channel(self, command: Command) -> bytes:
        if command.data:
            raise Refusal(StatusWord.WRONG_LENGTH, "MANAGE CHANNEL must not have a body")
        if command.p1 == _OPEN:
            return self._open_channel(command.p2)
        if command.p1 == _CLOSE:
            number = command.p2 or command.channel
            if number == 0:
                raise Refusal(StatusWord.WRONG_P1_P2, "the basic channel stays open")
            if number not in self._channels:
                raise Refusal(StatusWord.NO_CHANNEL, f"channel {number} is not open")
            if self._channels.pop(number).isdr:
                self._isdr.deselected()
            return b""
        raise Refusal(StatusWord.WRONG_P1_P2, "MANAGE CHANNEL must open or close a channel")

    def _open_channel(self, wanted: int) -> bytes:
        first = self._chip.behaviour.first_channel
        possible = range(first, first + self._chip.behaviour.channels)
        if wanted:
            if wanted not in possible or wanted in self._channels:
                raise Refusal(StatusWord.FUNCTION_NOT_SUPPORTED, f"channel {wanted} cannot be opened")
            self._channels[wanted] = _Channel()
            return b""
        free = next((number for number in possible if number not in self._channels), None)
        if free is None:
            raise Refusal(StatusWord.FUNCTION_NOT_SUPPORTED, "no channel is free")
        self._channels[free] = _Channel()
        return bytes([free])

    def _select(self, command: Command) -> bytes:
        channel = self._channels[command.channel]
        if command.p1 == _BY_NAME:
            answer = self._select_application(command, channel)
        elif command.p1 in (_BY_IDENTIFIER, _BY_PATH, _BY_PATH_FROM_HERE):
            if command.p1 == _BY_IDENTIFIER and len(command.data) not in (0, 2):
                raise Refusal(StatusWord.WRONG_LENGTH, "a file identifier must have two bytes")
            path = command.data or MF.to_bytes(2, "big")
            if command.p1 == _BY_IDENTIFIER:
                answer = channel.files.select_identifier(int.from_bytes(path, "big"), self._files)
            else:
                from_here = command.p1 == _BY_PATH_FROM_HERE
                answer = channel.files.select_path(path, self._files, from_here=from_here)
            self._leave_isdr(channel)
        else:
            raise Refusal(StatusWord.WRONG_P1_P2, f"selection by {command.p1:02X}")
        return b"" if command.p2 & _NO_ANSWER_WANTED == _NO_ANSWER_WANTED else answer

    def _select_application(self, command: Command, channel: _Channel) -> bytes:
        behaviour = self._chip.behaviour
        if command.p2 & _OCCURRENCE in (_NEXT, _PREVIOUS):
            raise Refusal(StatusWord.NOT_FOUND, "a name selects only one application")
        logical = command.channel != 0
        if command.data == self._isdr_aid and logical and not behaviour.isdr_on_logical_channels:
            raise Refusal(StatusWord.NO_CHANNEL, "ISD-R can be selected only on the basic channel")
        if command.data == self._isdr_aid and (logical or behaviour.isdr_on_basic_channel):
            channel.isdr = True
            channel.start_over()
            return self._isdr_information()
        parameters = channel.files.select_application(command.data, self._files)
        if parameters is None:
            refusal = behaviour.select_refusals.get(
                command.data.hex().upper(), StatusWord.NOT_FOUND.to_bytes(2).hex()
            )
            raise Refusal(int(refusal, 16), "no application has this name")
        self._leave_isdr(channel)
        return parameters

    def _leave_isdr(self, channel: _Channel) -> None:
        if channel.isdr:
            channel.isdr = False
            self._isdr.deselected()

    def _isdr_information(self) -> bytes:
        """Return ISD-R's FCI with its own template E0 (SGP.22 v2.5, 5.7.1)."""
        security_domain = tlv.encode(0xA5, tlv.encode(0x9F65, b"\xff"))
        own = tlv.encode(0xE0, tlv.encode(0x82, version(self._chip.behaviour.svn)))
        return tlv.encode(0x6F, tlv.encode(0x84, self._isdr_aid), security_domain, own)

    def _read_binary(self, command: Command) -> bytes:
        files = self._channels[command.channel].files
        content = files.read_binary(command.p1, command.p2, self._files)
        return content[: command.le or len(content)] if command.le != 256 else content[:256]

    def _read_record(self, command: Command) -> bytes:
        files = self._channels[command.channel].files
        record = files.read_record(command.p1, command.p2, self._files)
        return record[: command.le or len(record)]

    def _status(self, command: Command) -> bytes:
        channel = self._channels[command.channel]
        if command.p2 == _NO_ANSWER_WANTED:
            return b""
        if channel.isdr:
            return tlv.encode(0x84, self._isdr_aid)
        return channel.files.parameters(self._files)

    def _terminal_profile(self, command: Command) -> bytes:
        if not command.data:
            raise Refusal(StatusWord.WRONG_LENGTH, "an empty terminal profile")
        return b""

    def _terminal_capability(self, command: Command) -> bytes:
        status = int(self._chip.behaviour.terminal_capability_status, 16)
        if status != StatusWord.OK:
            raise Refusal(status, "this card does not support TERMINAL CAPABILITY")
        try:
            template = tlv.parse(command.data)
            euicc = template.find(0x83)
        except MalformedError as error:
            raise Refusal(StatusWord.BAD_DATA, error.sentence) from error
        if template.tag != 0xA9:
            raise Refusal(StatusWord.BAD_DATA, "no capability template")
        told = euicc.value[0] if euicc is not None and euicc.value else 0
        self._lpa_in_device = told & _LPA_IN_DEVICE == _LPA_IN_DEVICE
        return b""

    def _fetch(self, command: Command) -> bytes:
        del command  # FETCH has no data; its Le is the length from 91xx
        return self._proactive.fetch()

    def _terminal_response(self, command: Command) -> bytes:
        refreshed = self._proactive.terminal_response(command.data)
        self._isdr.profiles.settle_switch(refreshed=refreshed)
        if refreshed:
            self._isdr.end_session()
            self._channels = {0: _Channel()}
        return b""

    def _store_data(self, command: Command) -> bytes:
        channel = self._channels[command.channel]
        if not channel.isdr:
            raise Refusal(StatusWord.INS_NOT_SUPPORTED, "ISD-R is not selected on this channel")
        if self._chip.behaviour.needs_terminal_capability and not self._lpa_in_device:
            raise Refusal(StatusWord.CONDITIONS_NOT_SATISFIED, "no TERMINAL CAPABILITY announced an LPA")
        if int(self._chip.behaviour.es10_status, 16) != StatusWord.OK:
            raise Refusal(int(self._chip.behaviour.es10_status, 16), "this card does not support ES10")
        if not command.data:
            raise Refusal(StatusWord.WRONG_LENGTH, "an empty block")
        if command.p2 == 0:
            channel.start_over()
        most = self._chip.behaviour.largest_chain
        kind = command.p1 & ~_LAST_BLOCK
        if kind != _BER_TLV_ANSWERED or command.p2 != channel.next_block or command.p2 >= most:
            channel.start_over()
            raise Refusal(StatusWord.WRONG_P1_P2, f"block {command.p2} of kind {command.p1:02X}")
        channel.chain += command.data
        channel.next_block += 1
        if not command.p1 & _LAST_BLOCK:
            return b""
        data = channel.chain
        channel.start_over()
        before = self._enabled
        answer = self._isdr.command(data)
        if self._enabled is not before:  # an immediate switch selects the new profile's master file
            for other in self._channels.values():
                other.files = FileSystem()
        return answer
