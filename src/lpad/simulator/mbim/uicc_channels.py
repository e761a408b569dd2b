"""The logical channels that a simulated MBIM function opens for its hosts, in groups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lpad.codec.mbim.statuses import Status
from lpad.codec.mbim.uicc_access import OpenChannelAnswer, status_number
from lpad.protocol.apdu import channel_of, class_byte

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.codec.mbim.uicc_access import ApduRequest, OpenChannelRequest
    from lpad.simulator.mbim.habits import MbimHabits

_SUCCESS = (0x90, 0x91, 0x61)
_MOST_RESPONSES = 300
_STORE_DATA = 0xE2
_LAST_BLOCK = 0x80
_NO_CLASS = b"\x6e\x00"


class UiccRefusedError(Exception):
    """The function refuses; `status` is that of its answer."""

    def __init__(self, status: Status) -> None:
        super().__init__(status)
        self.status = status


@dataclass(frozen=True, slots=True)
class _Open:
    group: int


class UiccChannels:
    """The table of open channels."""

    def __init__(self, transmit: Callable[[bytes], bytes], habits: MbimHabits) -> None:
        """Begin without channels.

        Args:
            transmit: passes an APDU to the card.
            habits: the function's habits.
        """
        self._transmit = transmit
        self._habits = habits
        self._open: dict[int, _Open] = {}

    @property
    def open(self) -> dict[int, int]:
        """The group of each open channel."""
        return {number: each.group for number, each in self._open.items()}

    def forget(self) -> None:
        """Drop all channels, because the card was reset."""
        self._open.clear()

    def leak(self) -> None:
        """Open channels as an earlier host has left them."""
        for _ in range(self._habits.leaked_channels):
            opened = self._transmit(bytes.fromhex("0070000001"))
            if opened[-2] in _SUCCESS:
                self._open[opened[0]] = _Open(self._habits.leaked_group)

    def open_channel(self, request: OpenChannelRequest) -> OpenChannelAnswer:
        """Open a channel and select an application.

        Raises:
            UiccRefusedError: no channel is free, or the card refuses SELECT.
        """
        if len(self._open) >= self._habits.channels:
            raise UiccRefusedError(Status.NO_LOGICAL_CHANNELS)
        opened = self._transmit(bytes.fromhex("0070000001"))
        if opened[-2] not in _SUCCESS:
            raise UiccRefusedError(Status.NO_LOGICAL_CHANNELS)
        number = opened[0]
        accepted = self._habits.select_p2
        answer = b"\x6a\x86"
        if accepted is None or request.select_p2 in accepted:
            head = bytes([class_byte(0, number), 0xA4, 0x04, request.select_p2, len(request.aid)])
            answer = self._transmit(head + request.aid)
        if answer[-2] not in _SUCCESS:
            self._close_on_card(number)
            raise UiccRefusedError(Status.SELECT_FAILED)
        self._open[number] = _Open(request.group)
        response = answer[:-2]
        if answer[-2] == 0x61:  # the application is selected, whatever becomes of its description
            response = self._transmit(bytes([class_byte(0, number), 0xC0, 0, 0, answer[-1]]))[:-2]
        return OpenChannelAnswer(status=status_number(b"\x90\x00"), channel=number, response=response)

    def close(self, channel: int, group: int) -> bytes:
        """Close a channel, or with 0 all of a group; return the card's status word.

        Raises:
            UiccRefusedError: the channel is not open.
        """
        if channel == 0:
            for number in [number for number, each in self._open.items() if each.group == group]:
                self._close_on_card(number)
                del self._open[number]
            return b"\x90\x00"
        if channel not in self._open:
            raise UiccRefusedError(Status.INVALID_LOGICAL_CHANNEL)
        del self._open[channel]
        return self._close_on_card(channel)

    def transmit(self, request: ApduRequest) -> bytes:
        """Pass an APDU to an open channel; return data and status word.

        Raises:
            UiccRefusedError: the channel is not open, or the APDU has no header.
        """
        if request.channel not in self._open:
            raise UiccRefusedError(Status.INVALID_LOGICAL_CHANNEL)
        if len(request.apdu) < 4:
            raise UiccRefusedError(Status.INVALID_PARAMETERS)
        if self._habits.refuses_channel_in_class and channel_of(request.apdu[0]):
            raise UiccRefusedError(Status.INVALID_LOGICAL_CHANNEL)
        if request.class_byte_type not in self._habits.class_byte_types:
            return _NO_CLASS
        apdu = request.apdu
        if self._habits.builds_class:
            kind = 0x80 if request.class_byte_type == 1 else apdu[0] & 0x80
            apdu = bytes([class_byte(kind, request.channel)]) + apdu[1:]
        answer = self._transmit(apdu)
        return self._whole(apdu, answer, request.channel) if self._habits.fetches_response else answer

    def _whole(self, apdu: bytes, answer: bytes, channel: int) -> bytes:
        within_chain = apdu[1] == _STORE_DATA and not apdu[2] & _LAST_BLOCK
        if answer[-2] == 0x6C and not within_chain:
            answer = self._transmit(apdu[: 5 + apdu[4]] + answer[-1:])
        data = b""
        for _ in range(_MOST_RESPONSES):
            if answer[-2] != 0x61:
                break
            data += answer[:-2]
            answer = self._transmit(bytes([class_byte(0, channel), 0xC0, 0, 0, answer[-1]]))
        return data + answer

    def _close_on_card(self, number: int) -> bytes:
        return self._transmit(bytes([0x00, 0x70, 0x80, number]))[-2:]
