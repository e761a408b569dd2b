"""+CCHO, +CGLA and +CCHC of a simulated modem: channels that it manages itself (3GPP TS 27.007, 8.43 ff.)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lpad.protocol.apdu import channel_of, class_byte
from lpad.simulator.modem.personality import Handles

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.simulator.modem.personality import ModemPersonality

_FIRST_HEX_HANDLE = 0x038AA32F
_STORE_DATA = 0xE2
_MANAGE_CHANNEL = 0x70
_SELECT_USIM = bytes.fromhex("A4040C07A0000000871002")
_SUCCESS = (0x90, 0x61, 0x91)
"""The first bytes of status words of success; 91 announces a proactive command."""
NOT_ALLOWED = 3
NO_MEMORY = 20
UNKNOWN = 100


class ChannelRefusedError(Exception):
    """The modem refuses a command; `code` is the code of +CME ERROR; None: plain ERROR."""

    def __init__(self, code: int | None) -> None:
        super().__init__(code)
        self.code = code


@dataclass(slots=True)
class _Session:
    channel: int
    stored: int = 0


class ModemChannels:
    """The modem's table of channels that it has opened for the host."""

    def __init__(self, transmit: Callable[[bytes], bytes], personality: ModemPersonality) -> None:
        """Create an empty table.

        Args:
            transmit: a function that passes an APDU to the card.
            personality: the modem's personality.
        """
        self._transmit = transmit
        self._personality = personality
        self._opened = 0
        self._sessions: dict[str, _Session] = {}
        self._own: list[int] = []

    @property
    def open(self) -> tuple[str, ...]:
        """The names of the open channels, oldest first."""
        return tuple(self._sessions)

    @property
    def own(self) -> tuple[int, ...]:
        """The numbers of the modem's own channels that are still open."""
        return tuple(number for number in self._own if self._status(number)[-2] in _SUCCESS)

    def forget(self) -> None:
        """Drop all channels, because the card was reset."""
        self._sessions.clear()
        self._own.clear()

    def open_own(self, count: int) -> None:
        """Open channels for the modem's own use, each with the USIM selected."""
        for _ in range(count):
            opened = self._transmit(bytes.fromhex("0070000001"))
            if opened[-2] in _SUCCESS:
                number = opened[0]
                self._transmit(bytes([class_byte(0, number), *_SELECT_USIM]))
                self._own.append(number)

    def open_channel(self, aid: bytes) -> str:
        """Open a channel and select an application; return the channel's name.

        Raises:
            ChannelRefusedError: no channel is free, or the card lacks the application.
        """
        opened = self._transmit(bytes.fromhex("0070000001"))
        if opened[-2] not in _SUCCESS:
            raise ChannelRefusedError(NO_MEMORY)
        number = opened[0]
        select = bytes([class_byte(0, number), 0xA4, 0x04, 0x00, len(aid)]) + aid
        if self._transmit(select)[-2] not in _SUCCESS:
            self._close_on_card(number)
            raise ChannelRefusedError(self._personality.not_found)
        self._opened += 1
        handle = self._name(number)
        self._sessions[handle] = _Session(number)
        return handle

    def transmit(self, handle: str, apdu: bytes) -> bytes:
        """Pass an APDU on to the card, and return the answer.

        Raises:
            ChannelRefusedError: there is no such channel, or the personality requires a refusal.
        """
        session = self._session(handle)
        if apdu[1] == _MANAGE_CHANNEL and not self._personality.passes_manage_channel:
            raise ChannelRefusedError(NOT_ALLOWED)
        if apdu[1] == _STORE_DATA:
            session.stored += 1
            limit = self._personality.cgla_breaks_at
            if limit is not None and session.stored >= limit:
                raise ChannelRefusedError(None)
        channel = session.channel if self._personality.patches_class else channel_of(apdu[0])
        answer = self._transmit(bytes([class_byte(apdu[0], channel)]) + apdu[1:])
        if apdu[1] == _MANAGE_CHANNEL and answer[-2] in _SUCCESS and apdu[2] == 0x80:
            self._sessions = {
                name: each for name, each in self._sessions.items() if each.channel != (apdu[3] or channel)
            }
        return answer

    def close_channel(self, handle: str) -> None:
        """Close a channel.

        Raises:
            ChannelRefusedError: there is no such channel, or the modem lacks +CCHC.
        """
        if not self._personality.closes_channels:
            raise ChannelRefusedError(None)
        session = self._session(handle)
        self._close_on_card(session.channel)
        self._sessions = {name: each for name, each in self._sessions.items() if each is not session}

    def _session(self, handle: str) -> _Session:
        session = self._sessions.get(handle)
        if session is None:
            raise ChannelRefusedError(UNKNOWN)
        return session

    def _status(self, number: int) -> bytes:
        return self._transmit(bytes([class_byte(0x80, number), 0xF2, 0, 0, 0]))

    def _close_on_card(self, number: int) -> None:
        self._transmit(bytes([0x00, 0x70, 0x80, number]))

    def _name(self, number: int) -> str:
        match self._personality.handles:
            case Handles.HEX64:
                return f"{_FIRST_HEX_HANDLE + self._opened:016x}"
            case Handles.CHANNEL:
                return str(number)
        return str(next(n for n in range(1, 256) if str(n) not in self._sessions))
