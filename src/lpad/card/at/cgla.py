"""AT+CCHO, AT+CGLA, AT+CCHC: a channel that the modem owns (3GPP TS 27.007, 8.43, 8.45 and 8.46).

The modem opens the channel, selects the application, hides the answer to SELECT and returns a name for the
channel. The name is text that lpad sends back: modems use prefixed numbers, bare numbers and 64-bit
hexadecimal numbers.
"""

from __future__ import annotations

import logging
from contextlib import nullcontext
from typing import TYPE_CHECKING

from lpad.base.deadline import Deadline
from lpad.base.errors import CardBusy, CardError, CardMalformed, CardStatus, InternalError, blamed_on
from lpad.base.identifiers import ISD_R
from lpad.base.untrusted_number import whole_number
from lpad.card.channel.apdu_trace import TracedCard
from lpad.card.channel.channel_loss import LosableChannel
from lpad.card.channel.header_only_command import BareHeader
from lpad.card.channel.logical_channel import CLOSE_THIS_CHANNEL, CLOSING
from lpad.card.channel.status_words import no_isdr, status_error
from lpad.card.port.link_refused import LinkRefused
from lpad.protocol import card_and_identity_commands
from lpad.protocol.apdu import LARGEST_BLOCK, MOST_CHANNELS, Apdu, Response

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from lpad.base.identifiers import Aid, Imei
    from lpad.card.at.at_modem import AtModem
    from lpad.card.link.link import RawCard

_log = logging.getLogger(__name__)

_NOT_FOUND = ("+CME ERROR: 22", "+CME ERROR: NOT FOUND")
_GUESSED_HANDLES = ("1", "2", "3")
"""Names that channels of a killed process may have in a modem that numbers its channels."""


class AtCglaLink:
    """A link on which the modem manages the channels."""

    def __init__(
        self, modem: AtModem, *, channel_in_class: bool = False, name: str = "", unredacted: bool = False
    ) -> None:
        """Use a modem's +CCHO, +CGLA and +CCHC.

        Args:
            modem: the modem, which only this link uses, and which is closed with the link.
            channel_in_class: whether class bytes contain the channel number. By TS 27.007 they must not,
                because the modem inserts the number; but some modems pass the class byte on unchanged.
            name: prefix of each line of the APDU trace, such as the port.
            unredacted: whether the APDU trace always shows payloads; see `TracedCard`.
        """
        self._modem = modem
        self._channel_in_class = channel_in_class
        self._name = name
        self._unredacted = unredacted
        self.channels_closed = 0
        """The number of abandoned channels that this link has closed."""
        self.block_size = LARGEST_BLOCK

    def imei(self, *, deadline: Deadline) -> Imei | None:
        """Return the modem's IMEI; None if it is unknown (see `Device`)."""
        return self._modem.imei(deadline=deadline)

    def close(self) -> None:
        """Release the port."""
        self._modem.close()

    def lend_modem(self, *, deadline: Deadline) -> AbstractContextManager[None]:
        """Return a context with None: this link cannot lend the modem, whose quirks it does not know."""
        del deadline
        return nullcontext()

    def open_channel(self, aids: Sequence[Aid], *, deadline: Deadline) -> CglaChannel:
        """Open a channel to the first of `aids` that the modem finds (see `Link`).

        Most modems give no reason for a refusal: they answer ERROR if the application is unknown, if no
        channel is free, and if the command is unknown. The error is 6A82 only if each AID is 'not found'.

        Raises:
            LinkRefused: the modem refused, usually without a reason.
        """
        refusals: list[CardError] = []
        for aid in aids:
            try:
                return self._open(aid, deadline=deadline)
            except CardBusy:
                raise
            except CardError as error:
                # The modem has not refused: the port is gone, the modem is silent, or its OK came without a
                # name.
                if "modem_error" not in error.details:
                    raise
                refusals.append(error)
        if not refusals:
            raise InternalError("the AID of the application to select is missing")
        if all(str(error.details["modem_error"]).upper() in _NOT_FOUND for error in refusals):
            raise no_isdr()
        raise refusals[0]

    def close_leftovers(self, *, handle: str | None, deadline: Deadline) -> int:
        """Close channels that an earlier process left open, and return how many.

        Args:
            handle: the channel's name; None if unknown: then small numbers are tried, which close only
                channels of this AT port, never those that the modem itself uses.

        Raises:
            CardUnreachable: the port is gone, or the modem does not answer.
        """
        closed = 0
        for each in _GUESSED_HANDLES if handle is None else (handle,):
            try:
                self._channel(each, ISD_R).close(deadline=deadline)
                closed += 1
            except CardStatus:
                continue
            except CardError as error:
                if "modem_error" not in error.details:
                    raise
        self.channels_closed += closed
        return closed

    def _open(self, aid: Aid, *, deadline: Deadline) -> CglaChannel:
        port = self._modem.at_port
        answer = port.ask(
            card_and_identity_commands.ccho(bytes(aid)), patience=port.patience.apdu, deadline=deadline
        )
        with blamed_on(CardMalformed, "AT+CCHO"):
            handle = card_and_identity_commands.ccho_handle(answer)
        return self._channel(handle, aid)

    def _channel(self, handle: str, aid: Aid) -> CglaChannel:
        traced = TracedCard(AtCgla(self._modem, handle), name=self._name, unredacted=self._unredacted)
        card = BareHeader(traced)
        return CglaChannel(card, modem=self._modem, handle=handle, aid=aid, number=self._number(handle))

    def _number(self, handle: str) -> int | None:
        if not self._channel_in_class:
            return None
        number = whole_number(handle, least=1, most=MOST_CHANNELS - 1)
        if number is not None:
            return number
        _give_back(self._modem, handle)
        raise LinkRefused(
            f"AT+CCHO: the modem named the channel '{handle}', which is not a channel number from 1 to 19 and"
            " so does not fit into class bytes; use AT+CGLA without channel numbers in class bytes, or"
            " AT+CSIM"
        )


class AtCgla:
    """Passes APDUs to one channel."""

    def __init__(self, modem: AtModem, handle: str) -> None:
        self._modem = modem
        self._handle = handle

    def transmit(self, apdu: Apdu, *, deadline: Deadline) -> bytes:
        """Pass an APDU to the channel (see `RawCard`)."""
        patience = self._modem.at_port.patience.of(apdu.command.intent)
        command = card_and_identity_commands.cgla(self._handle, apdu)
        answer = self._modem.at_port.ask(command, patience=patience, deadline=deadline)
        with blamed_on(CardMalformed, "AT+CGLA"):
            return card_and_identity_commands.response_apdu(answer)


class CglaChannel(LosableChannel):
    """One channel of the modem, with its application selected."""

    def __init__(self, card: RawCard, *, modem: AtModem, handle: str, aid: Aid, number: int | None) -> None:
        """Wrap an open channel.

        Args:
            card: passes APDUs to the channel.
            number: the number for class bytes; None: the modem inserts the number.
        """
        super().__init__(aid)
        self._card = card
        self._modem = modem
        self._number = number
        self.handle = handle

    def close(self, *, deadline: Deadline) -> None:
        """Close the channel (see `Channel`); does nothing if the card has lost it.

        A modem without +CCHC (Sierra EM9191) may still pass MANAGE CHANNEL to the card; P2 00 then means the
        channel in the class byte (ISO/IEC 7816-4, 11.1.2).
        """
        if not self._open:
            return
        lost = self._is_lost(deadline=deadline)
        self._open = False
        if lost:
            _log.debug("channel %s was lost when the card restarted", self.handle)
            return
        try:
            close_handle(self._modem, self.handle, deadline=deadline)
        except LinkRefused as refused:
            self._close_through_card(refused, deadline=deadline)

    def _pass(self, apdu: Apdu, *, deadline: Deadline) -> bytes:
        if self._number is not None:
            apdu = apdu.on_channel(self._number)
        return self._card.transmit(apdu, deadline=deadline)

    def _close_through_card(self, refused: LinkRefused, *, deadline: Deadline) -> None:
        try:
            raw = self._pass(Apdu(CLOSE_THIS_CHANNEL), deadline=deadline)
        except LinkRefused:
            raise refused from None
        with blamed_on(CardMalformed, "MANAGE CHANNEL"):
            answer = Response.parse(raw)
        if not answer.ok:
            raise status_error(f"cannot close the modem's channel {self.handle}", answer.sw) from refused


def close_handle(modem: AtModem, handle: str, *, deadline: Deadline) -> None:
    """Close a channel by the modem's name for it.

    Raises:
        CardError: as in `AtPort.ask`.
    """
    port = modem.at_port
    port.ask(card_and_identity_commands.cchc(handle), patience=port.patience.apdu, deadline=deadline)


def _give_back(modem: AtModem, handle: str) -> None:
    try:
        close_handle(modem, handle, deadline=Deadline.after(CLOSING))
    except CardError as error:
        _log.warning("channel %s may have stayed open: %s", handle, error)
