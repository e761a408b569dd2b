"""Logical channels on a raw card: opened, used by one application, always closed (ISO/IEC 7816-4, 11.1.2)."""

from __future__ import annotations

import logging
from contextlib import nullcontext
from typing import TYPE_CHECKING

from lpad.base.deadline import Deadline
from lpad.base.errors import CardError, CardMalformed, CardStatus
from lpad.base.untrusted_number import whole_number
from lpad.card.channel.abandoned_channels import close_leftovers, is_any_open, is_leftover
from lpad.card.channel.channel_loss import LosableChannel
from lpad.card.channel.exchange import exchange
from lpad.card.channel.selection import select_first
from lpad.card.channel.status_words import status_error
from lpad.card.port.link_refused import LinkRefused
from lpad.protocol.apdu import LARGEST_BLOCK, MOST_CHANNELS, Apdu, Command, Response

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from lpad.base.identifiers import Aid, Imei
    from lpad.card.link.link import Device, RawCard

_log = logging.getLogger(__name__)

TERMINAL_CAPABILITY = bytes.fromhex("A9088100820101830107")
"""Declares extended logical channels, additional interfaces and an LPAd (ETSI TS 102 221, 11.1.19)."""

_MANAGE_CHANNEL = 0x70
_CLOSE = 0x80
_NO_FREE_CHANNEL = 0x6A81
_NO_SUCH_CHANNEL = 0x6881
_BASIC = 0
_SELECT_MASTER_FILE = Command(0, 0xA4, 0x00, 0x0C, bytes.fromhex("3F00"))
CLOSE_THIS_CHANNEL = Command(0, _MANAGE_CHANNEL, _CLOSE, 0)
"""P2 00 closes the channel in the class byte."""
CLOSING = 10.0
"""Seconds for closing a channel, apart from the deadline of the preceding work, which may have passed."""


class RawLink:
    """A link over a raw card, which opens the card's logical channels."""

    def __init__(
        self,
        card: RawCard,
        *,
        device: Device,
        terminal_capability: bytes | None = None,
        basic_channel: bool = True,
    ) -> None:
        """Manage the channels of a card.

        Args:
            device: the modem or reader with the card; closed with the link.
            terminal_capability: TLV to send in TERMINAL CAPABILITY before each channel, such as
                `TERMINAL_CAPABILITY`; None if the modem has already sent that command, as modems do when
                they start a card.
            basic_channel: whether the ISD-R may be selected on the basic channel if no other channel works
                (NekokoLPA2#31), as in a reader. In a modem, the basic channel belongs to the modem.
        """
        self._card = card
        self._device = device
        self._terminal_capability = terminal_capability
        self._may_use_basic = basic_channel
        self._prefers_basic = False
        self._not_closed: int | None = None
        self.channels_closed = 0
        """The number of abandoned channels that this link has closed."""
        self.block_size = LARGEST_BLOCK

    def imei(self, *, deadline: Deadline) -> Imei | None:
        """Return the device's IMEI; None if it is unknown (see `Device`)."""
        return self._device.imei(deadline=deadline)

    def close(self) -> None:
        """Release the device."""
        self._device.close()

    def lend_modem(self, *, deadline: Deadline) -> AbstractContextManager[None]:
        """Return a context with None: this link does not know whether the device is a modem."""
        del deadline
        return nullcontext()

    def open_channel(self, aids: Sequence[Aid], *, deadline: Deadline) -> LogicalChannel:
        """Open a channel and select an application (see `Link`)."""
        if self._terminal_capability is not None:
            # Cards that do not recognize the command answer 6D00 or 6E00, which is harmless.
            self._card.transmit(Apdu(Command(0x80, 0xAA, data=self._terminal_capability)), deadline=deadline)
        ways = [self._open_logical, self._open_basic] if self._may_use_basic else [self._open_logical]
        refusal: CardStatus | None = None
        for way in reversed(ways) if self._prefers_basic else ways:
            try:
                channel = way(aids, deadline=deadline)
            except CardStatus as error:
                refusal = refusal or error
                no_channel = error.details.get("sw") == f"{_NO_FREE_CHANNEL:04X}"
                if no_channel and self._may_others_use_card(deadline=deadline):
                    break  # other programs may use the basic channel as well
            else:
                self._prefers_basic = channel.number == _BASIC
                return channel
        assert refusal is not None, "each branch returns or raises"
        raise refusal

    def close_leftovers(self, *, handle: str | None, deadline: Deadline) -> int:
        """Close channels that an earlier process left open, and return how many.

        Args:
            handle: the channel's number; None if unknown: then all channels are checked, and the modem's
                channels stay open.

        Raises:
            CardError: the card cannot be reached, or the modem passes no commands to logical channels.
        """
        # A name that is not a number belonged to another link, or the note on disk was damaged.
        number = None if handle is None else whole_number(handle, most=MOST_CHANNELS - 1)
        which = () if number is None else ([number],)
        closed = close_leftovers(self._card, *which, deadline=deadline)
        self.channels_closed += closed
        return closed

    def _open_logical(self, aids: Sequence[Aid], *, deadline: Deadline) -> LogicalChannel:
        number = self._still_open(deadline=deadline) or self._manage_channel(deadline=deadline)
        try:
            aid = select_first(self._card, number, aids, deadline=deadline)
        except BaseException:
            self._close_after_failure(number)
            raise
        return LogicalChannel(self._card, number, aid, on_refusal=self._keep)

    def _open_basic(self, aids: Sequence[Aid], *, deadline: Deadline) -> LogicalChannel:
        return LogicalChannel(self._card, _BASIC, select_first(self._card, _BASIC, aids, deadline=deadline))

    def _keep(self, number: int) -> None:
        """Note a channel that cannot be closed; the next session uses it, so at most one stays open."""
        self._not_closed = number

    def _still_open(self, *, deadline: Deadline) -> int | None:
        number, self._not_closed = self._not_closed, None
        if number is None or not is_leftover(self._card, number, deadline=deadline):
            return None  # the card restarted, and the number may now belong to the modem
        return number

    def _manage_channel(self, *, deadline: Deadline) -> int:
        opened = self._open_any(deadline=deadline)
        if opened.sw == _NO_FREE_CHANNEL and self._make_room(deadline=deadline):
            opened = self._open_any(deadline=deadline)
        if not opened.ok:
            raise status_error("cannot open a logical channel", opened.sw)
        if len(opened.data) != 1 or not 1 <= opened.data[0] < MOST_CHANNELS:
            raise CardMalformed(
                "cannot open a logical channel: the card named no channel from 1 to 19; a modem or card reset"
                " may help"
            )
        return opened.data[0]

    def _open_any(self, *, deadline: Deadline) -> Response:
        command = Command(0, _MANAGE_CHANNEL, le=1)
        return exchange(self._card, command, deadline=deadline, attempted="MANAGE CHANNEL")

    def _make_room(self, *, deadline: Deadline) -> bool:
        """Close channels of crashed processes; return whether any was closed. A failure is only logged."""
        try:
            return self.close_leftovers(handle=None, deadline=deadline) > 0
        except CardError as error:
            _log.warning("cannot find out which channels were left open: %s", error)
            return False

    def _may_others_use_card(self, *, deadline: Deadline) -> bool:
        """Return whether other programs may be using the card: a channel is open, or lpad cannot find out."""
        try:
            return is_any_open(self._card, deadline=deadline)
        except CardError as error:
            _log.warning("cannot find out which channels are open: %s", error)
            return True

    def _close_after_failure(self, number: int) -> None:
        try:
            _close(self._card, number, deadline=Deadline.after(CLOSING))
        except CardError as error:
            _log.warning("channel %d may have stayed open: %s", number, error)
            if _was_refused(error):
                self._keep(number)


class LogicalChannel(LosableChannel):
    """One open channel with its application selected."""

    def __init__(
        self,
        card: RawCard,
        number: int,
        aid: Aid,
        *,
        on_refusal: Callable[[int], None] = lambda _number: None,
    ) -> None:
        """Wrap an open channel.

        Args:
            number: the channel number, 1 to 19; 0 for the basic channel, which is always open.
            on_refusal: called with the number of a channel that is still open because the modem or card
                refuses to close it.
        """
        super().__init__(aid)
        self._card = card
        self.number = number
        self._on_refusal = on_refusal
        self.handle = str(number)

    def close(self, *, deadline: Deadline) -> None:
        """Close the channel; tries once, and does nothing if the card has lost it."""
        if not self._open:
            return
        lost = self._is_lost(deadline=deadline)
        self._open = False
        if lost:
            _log.debug("logical channel %d was lost when the card restarted", self.number)
            return
        if self.number == _BASIC:
            # The basic channel cannot be closed, so only the application is deselected; the card's answer
            # does not matter.
            self._card.transmit(Apdu(_SELECT_MASTER_FILE), deadline=deadline)
            return
        try:
            _close(self._card, self.number, deadline=deadline)
        except CardError as error:
            if _was_refused(error):
                self._on_refusal(self.number)
            raise

    def _pass(self, apdu: Apdu, *, deadline: Deadline) -> bytes:
        return self._card.transmit(apdu.on_channel(self.number), deadline=deadline)


def _close(card: RawCard, number: int, *, deadline: Deadline) -> None:
    # This is sent on the basic channel, which always exists.
    command = Command(0, _MANAGE_CHANNEL, _CLOSE, number)
    answer = exchange(card, command, deadline=deadline, attempted="MANAGE CHANNEL")
    if not answer.ok:
        raise status_error(f"cannot close logical channel {number}", answer.sw)


def _was_refused(error: CardError) -> bool:
    """Return whether a channel that could not be closed is probably still open."""
    if isinstance(error, CardStatus):
        return error.details.get("sw") != f"{_NO_SUCH_CHANNEL:04X}"
    return isinstance(error, LinkRefused)
