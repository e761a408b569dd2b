"""Logical channels on a raw card: opened, used by one application, always closed (ISO/IEC 7816-4, 11.1.2)."""

from __future__ import annotations

import logging
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

from lpad.base.deadline import Deadline
from lpad.base.errors import CardError, CardMalformed, InternalError
from lpad.base.outside_number import whole_number
from lpad.card.channel.abandoned_channels import close_leftovers
from lpad.card.channel.exchange import exchange
from lpad.card.channel.lost_channel import LostChannel
from lpad.card.channel.status_words import no_isdr, status_error
from lpad.protocol.apdu import LARGEST_BLOCK, MOST_CHANNELS, Command, Response, class_byte

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from lpad.base.identifiers import Aid, Imei
    from lpad.card.link.link import Device, RawCard

_log = logging.getLogger(__name__)

TERMINAL_CAPABILITY = bytes.fromhex("A9088100820101830107")
"""Extended logical channels, additional interfaces, and an LPA in the device (ETSI TS 102 221, 11.1.19)."""

_MANAGE_CHANNEL = 0x70
_SELECT = 0xA4
_SELECT_BY_AID = 0x04
_CLOSE = 0x80
_NO_SUCH_APPLICATION = 0x6A82
_NO_FREE_CHANNEL = 0x6A81
_WRONG_LENGTH = 0x6C
CLOSE_THIS_CHANNEL = Command(0, _MANAGE_CHANNEL, _CLOSE, 0)
"""P2 00 closes the channel that the class byte names."""
CLOSING = 10.0
"""Seconds for closing a channel when something else has gone wrong, and its deadline perhaps passed."""


class RawLink:
    """A raw card lifted to a link."""

    def __init__(self, card: RawCard, *, device: Device, terminal_capability: bytes | None = None) -> None:
        """Manage the channels of a card.

        Args:
            card: what transmits.
            device: what holds the card; closed with the link.
            terminal_capability: TLV to send in TERMINAL CAPABILITY before each channel, such as
                `TERMINAL_CAPABILITY`; None where the modem has sent one itself, as modems do when they
                start a card.
        """
        self._card = card
        self._device = device
        self._terminal_capability = terminal_capability
        self.channels_closed = 0
        """How many were found left open, and closed."""
        self.block_size = LARGEST_BLOCK

    def imei(self, *, deadline: Deadline) -> Imei | None:
        """Return the device's IMEI, as `Device` says."""
        return self._device.imei(deadline=deadline)

    def close(self) -> None:
        """Release the device."""
        self._device.close()

    def lend_modem(self, *, deadline: Deadline) -> AbstractContextManager[None]:
        """Lend nothing: whether the device is a modem is not known here."""
        del deadline
        return nullcontext()

    def open_channel(self, aids: Sequence[Aid], *, deadline: Deadline) -> LogicalChannel:
        """Open a channel and select an application, as `Link` says."""
        if self._terminal_capability is not None:
            # Cards that don't know it answer 6D00 or 6E00; that is no harm.
            self._card.transmit(bytes(Command(0x80, 0xAA, data=self._terminal_capability)), deadline=deadline)
        number = self._manage_channel(deadline=deadline)
        try:
            return LogicalChannel(self._card, number, self._select(number, aids, deadline=deadline))
        except BaseException:
            self._close_after_failure(number)
            raise

    def close_leftovers(self, *, handle: str | None, deadline: Deadline) -> int:
        """Close channels that an earlier process left open, and return how many.

        Args:
            handle: the channel's number; None where it is not known: then all are looked at, and those
                that belong to the modem spared.
            deadline: when to give up.

        Raises:
            CardError: the card can't be reached, or the modem passes nothing to logical channels.
        """
        # A name that is no number was another link's, or the note on disk was damaged.
        number = None if handle is None else whole_number(handle, most=MOST_CHANNELS - 1)
        which = () if number is None else ([number],)
        closed = close_leftovers(self._card, *which, deadline=deadline)
        self.channels_closed += closed
        return closed

    def _manage_channel(self, *, deadline: Deadline) -> int:
        opened = self._open_any(deadline=deadline)
        if opened.sw == _NO_FREE_CHANNEL and self._make_room(deadline=deadline):
            opened = self._open_any(deadline=deadline)
        if not opened.ok:
            raise status_error("opening a logical channel", opened.sw)
        if len(opened.data) != 1 or not 1 <= opened.data[0] < MOST_CHANNELS:
            raise CardMalformed(
                "opening a logical channel: the card named no channel from 1 to 19; a modem or card reset may"
                " help"
            )
        return opened.data[0]

    def _open_any(self, *, deadline: Deadline) -> Response:
        command = Command(0, _MANAGE_CHANNEL, le=1)
        return exchange(self._card, command, deadline=deadline, attempted="MANAGE CHANNEL")

    def _make_room(self, *, deadline: Deadline) -> bool:
        """Close what crashed processes left open; failing at it must not hide that all are taken."""
        try:
            return self.close_leftovers(handle=None, deadline=deadline) > 0
        except CardError as error:
            _log.warning("looking for channels left open: %s", error)
            return False

    def _select(self, number: int, aids: Sequence[Aid], *, deadline: Deadline) -> Aid:
        if not aids:
            raise InternalError("no application was named to select")
        for aid in aids:
            # What SELECT would return through GET RESPONSE is known already or of no use to an LPA: the
            # ISD-R's version must be read with GetEuiccInfo. So it is left with the card.
            command = Command(0, _SELECT, _SELECT_BY_AID, 0, bytes(aid)).on_channel(number)
            answer = Response.parse(self._card.transmit(bytes(command), deadline=deadline))
            if answer.sw >> 8 == _WRONG_LENGTH:
                again = replace(command, le=answer.sw & 0xFF or 256)
                answer = Response.parse(self._card.transmit(bytes(again), deadline=deadline))
            if answer.ok or answer.sw >> 8 == 0x61:
                return aid
            if answer.sw != _NO_SUCH_APPLICATION:
                raise status_error("selecting the ISD-R", answer.sw)
        raise no_isdr()

    def _close_after_failure(self, number: int) -> None:
        try:
            _close(self._card, number, deadline=Deadline.after(CLOSING))
        except CardError as error:
            _log.warning("channel %d may have stayed open: %s", number, error)


class LogicalChannel:
    """One open channel with its application selected."""

    def __init__(self, card: RawCard, number: int, aid: Aid) -> None:
        """Wrap an open channel.

        Args:
            card: what transmits.
            number: the channel's, 1 to 19.
            aid: the application that is selected on it.
        """
        self._card = card
        self._number = number
        self._open = True
        self._lost = LostChannel()
        self.aid = aid
        self.handle = str(number)

    def transmit(self, apdu: bytes, *, deadline: Deadline) -> bytes:
        """Send an APDU on this channel, as `Channel` says."""
        if not self._open:
            raise InternalError("a closed channel was used")
        self._lost.follow(apdu)
        answer = self._pass(apdu, deadline=deadline)
        self._lost.heed(answer, lambda asked: self._pass(asked, deadline=deadline))
        return answer

    def close(self, *, deadline: Deadline) -> None:
        """Close the channel; it is tried once, and left alone where the card has lost it meanwhile."""
        if not self._open:
            return
        lost = self._lost.is_lost(lambda asked: self._pass(asked, deadline=deadline))
        self._open = False
        if lost:
            _log.debug("logical channel %d went when the card was started anew", self._number)
        else:
            _close(self._card, self._number, deadline=deadline)

    def _pass(self, apdu: bytes, *, deadline: Deadline) -> bytes:
        return self._card.transmit(bytes([class_byte(apdu[0], self._number)]) + apdu[1:], deadline=deadline)


def _close(card: RawCard, number: int, *, deadline: Deadline) -> None:
    # On the basic channel, which is there always.
    command = Command(0, _MANAGE_CHANNEL, _CLOSE, number)
    answer = exchange(card, command, deadline=deadline, attempted="MANAGE CHANNEL")
    if not answer.ok:
        raise status_error(f"closing logical channel {number}", answer.sw)
