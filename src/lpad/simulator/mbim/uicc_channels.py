"""The logical channels that a simulated MBIM function opens for its hosts, in groups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lpad.codec.mbim.statuses import Status
from lpad.codec.mbim.uicc_access import OpenChannelAnswer, status_number
from lpad.protocol.apdu import channel_of, class_byte
from lpad.simulator.modem.card_channels import SUCCESS, CardChannels

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.codec.mbim.uicc_access import ApduRequest, OpenChannelRequest
    from lpad.simulator.mbim.behaviour import MbimBehaviour


class UiccRefusedError(Exception):
    """The MBIM function refuses a request; `status` is the status in the answer."""

    def __init__(self, status: Status) -> None:
        super().__init__(status)
        self.status = status


@dataclass(frozen=True, slots=True)
class _Open:
    group: int


class UiccChannels:
    """The table of open channels."""

    def __init__(self, transmit: Callable[[bytes], bytes], behaviour: MbimBehaviour) -> None:
        """Create an empty table.

        Args:
            transmit: a function that passes an APDU to the card.
            behaviour: the MBIM function's behaviour.
        """
        self._transmit = transmit
        self._behaviour = behaviour
        self._on_card = CardChannels(transmit)
        self._open: dict[int, _Open] = {}

    @property
    def open(self) -> dict[int, int]:
        """The group of each open channel."""
        return {number: each.group for number, each in self._open.items()}

    def forget(self) -> None:
        """Drop all channels, because the card was reset."""
        self._open.clear()

    def leak(self) -> None:
        """Open channels, as if an earlier host had left them open."""
        for _ in range(self._behaviour.leaked_channels):
            number = self._on_card.open()
            if number is not None:
                self._open[number] = _Open(self._behaviour.leaked_group)

    def open_channel(self, request: OpenChannelRequest) -> OpenChannelAnswer:
        """Open a channel and select an application.

        Raises:
            UiccRefusedError: no channel is free, or the card refuses SELECT.
        """
        if len(self._open) >= self._behaviour.channels:
            raise UiccRefusedError(Status.NO_LOGICAL_CHANNELS)
        number = self._on_card.open()
        if number is None:
            raise UiccRefusedError(Status.NO_LOGICAL_CHANNELS)
        accepted = self._behaviour.select_p2
        answer = b"\x6a\x86"
        if accepted is None or request.select_p2 in accepted:
            answer = self._on_card.select(number, request.aid, request.select_p2)
        if answer[-2] not in SUCCESS:
            self._on_card.close(number)
            raise UiccRefusedError(Status.SELECT_FAILED)
        self._open[number] = _Open(request.group)
        # The application is selected, even if its description cannot be fetched.
        response = self._on_card.fetched(answer, number)
        return OpenChannelAnswer(status=status_number(b"\x90\x00"), channel=number, response=response)

    def close(self, channel: int, group: int) -> bytes:
        """Close a channel, or all channels of `group` if `channel` is 0; return the card's status word.

        Raises:
            UiccRefusedError: the channel is not open.
        """
        if channel == 0:
            for number in [number for number, each in self._open.items() if each.group == group]:
                self._on_card.close(number)
                del self._open[number]
            return b"\x90\x00"
        if channel not in self._open:
            raise UiccRefusedError(Status.INVALID_LOGICAL_CHANNEL)
        del self._open[channel]
        return self._on_card.close(channel)

    def transmit(self, request: ApduRequest) -> bytes:
        """Pass an APDU to an open channel; return data and status word.

        Raises:
            UiccRefusedError: the channel is not open, the APDU has no header, or its class byte is refused.
        """
        if request.channel not in self._open:
            raise UiccRefusedError(Status.INVALID_LOGICAL_CHANNEL)
        if len(request.apdu) < 4:
            raise UiccRefusedError(Status.INVALID_PARAMETERS)
        if self._behaviour.refuses_channel_in_class and channel_of(request.apdu[0]):
            raise UiccRefusedError(Status.INVALID_LOGICAL_CHANNEL)
        if request.class_byte_type not in self._behaviour.class_byte_types:
            return self._behaviour.class_refusal.to_bytes(2)
        apdu = request.apdu
        if self._behaviour.builds_class:
            kind = 0x80 if request.class_byte_type == 1 else apdu[0] & 0x80
            apdu = bytes([class_byte(kind, request.channel)]) + apdu[1:]
        answer = self._transmit(apdu)
        if not self._behaviour.fetches_response:
            return answer
        return self._on_card.whole(apdu, answer, request.channel)
