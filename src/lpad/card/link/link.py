"""The ports of the card edge: what the rest of lpad sees of a card, whatever leads to it.

Two kinds of link exist. A raw card (AT+CSIM, PC/SC) transmits APDUs and `logical_channel` manages
channels on it; a modem-owned channel (AT+CCHO family, QMI, MBIM) opens and closes them for us. Both
end in `Link`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from lpad.base.deadline import Deadline
    from lpad.base.identifiers import Aid, Imei
    from lpad.card.modem.lent_modem import LentModem
    from lpad.protocol.apdu import Apdu


class RawCard(Protocol):
    """A card that takes any APDU on any channel."""

    def transmit(self, apdu: Apdu, *, deadline: Deadline) -> bytes:
        """Send one command APDU and return what came back: data and two status bytes.

        Args:
            apdu: the command, with the class byte of its logical channel.
            deadline: when to give up.

        Raises:
            CardUnreachable: the way to the card is gone, mute, or refused (LinkRefused).
            CardBusy: the modem or the card asks to come back later.
            CardMalformed: the answer breaks the link's grammar.
        """
        ...


class Channel(Protocol):
    """One application selected on one channel."""

    @property
    def aid(self) -> Aid:
        """The application that answered SELECT."""
        ...

    def transmit(self, apdu: Apdu, *, deadline: Deadline) -> bytes:
        """Send one command APDU and return data and two status bytes; 61xx and 6Cxx come as they are.

        Args:
            apdu: the command with the class byte of the basic channel (00 or 80): the channel puts
                its own number in, or leaves that to the modem that owns it.
            deadline: when to give up.

        Raises:
            CardUnreachable, CardBusy, CardMalformed: as in RawCard.
        """
        ...

    def close(self, *, deadline: Deadline) -> None:
        """Give the channel back; a second call does nothing.

        Raises:
            CardError: the channel could not be closed. It is gone anyway if the card was reset.
        """
        ...


class Device(Protocol):
    """What holds the card: a modem, or a reader."""

    def imei(self, *, deadline: Deadline) -> Imei | None:
        """Return the device's IMEI, or None where it has none or tells none."""
        ...

    def close(self) -> None:
        """Release the port; never raises, and a second call does nothing."""
        ...


class Link(Device, Protocol):
    """An open way to one card."""

    @property
    def block_size(self) -> int:
        """Bytes in the largest STORE DATA block that is known, or believed, to pass."""
        ...

    @block_size.setter
    def block_size(self, size: int) -> None: ...

    def open_channel(self, aids: Sequence[Aid], *, deadline: Deadline) -> Channel:
        """Open a channel and select the first of `aids` that the card knows.

        Nothing stays open when this raises.

        Raises:
            CardStatus: the card has no free channel, or knows none of `aids` (`sw` 6A82).
            CardUnreachable, CardBusy, CardMalformed: as in RawCard.
        """
        ...

    def lend_modem(self, *, deadline: Deadline) -> AbstractContextManager[LentModem | None]:
        """Lend the modem that reads the card beside lpad; None where there is none, as in a reader.

        It is lent while no channel is open on this link.

        Args:
            deadline: for getting acquainted with it.

        Raises:
            CardUnreachable: the port is gone or mute.
        """
        ...
