"""AT+CSIM: a raw card behind a modem's AT port (3GPP TS 27.007, 8.17)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.base.errors import CardMalformed, blamed_on
from lpad.card.channel.apdu_trace import TracedCard
from lpad.card.channel.header_only_command import BareHeader
from lpad.card.channel.logical_channel import RawLink
from lpad.protocol import card_and_identity_commands

if TYPE_CHECKING:
    from lpad.base.deadline import Deadline
    from lpad.card.at.at_modem import AtModem
    from lpad.protocol.apdu import Apdu


class AtCsim:
    """A card to which a modem passes APDUs."""

    def __init__(self, modem: AtModem) -> None:
        """Use a modem's +CSIM."""
        self._modem = modem

    def transmit(self, apdu: Apdu, *, deadline: Deadline) -> bytes:
        """Pass an APDU to the card (see `RawCard`)."""
        patience = self._modem.at_port.patience.of(apdu.command.intent)
        answer = self._modem.at_port.ask(
            card_and_identity_commands.csim(apdu), patience=patience, deadline=deadline
        )
        with blamed_on(CardMalformed, "AT+CSIM"):
            return card_and_identity_commands.response_apdu(answer)


def csim_link(
    modem: AtModem, *, name: str, terminal_capability: bytes | None = None, unredacted: bool = False
) -> RawLink:
    """Return the link through a modem's +CSIM; the card's basic channel is left to the modem.

    Args:
        modem: the modem, which only this link uses, and which is closed with the link.
        name: prefix of each line of the APDU trace, such as the port.
        terminal_capability: value for cards that require TERMINAL CAPABILITY first; see `RawLink`.
        unredacted: whether the APDU trace always shows payloads; see `TracedCard`.
    """
    card = BareHeader(TracedCard(AtCsim(modem), name=name, unredacted=unredacted))
    return RawLink(card, device=modem, terminal_capability=terminal_capability, basic_channel=False)
