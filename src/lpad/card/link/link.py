"""The interfaces through which the rest of lpad uses a card over any kind of link.

Over AT+CSIM and PC/SC, a raw card receives APDUs, and `logical_channel` opens and closes the channels. Over
AT+CCHO, QMI and MBIM, the modem opens and closes the channels for lpad. The rest of lpad uses links of
every kind through `Link`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from lpad.base.deadline import Deadline
    from lpad.base.identifiers import Aid, Imei
    from lpad.card.modem.modem_lent_by_link import LentModem
    from lpad.protocol.apdu import Apdu


class RawCard(Protocol):
    """A card that accepts any APDU on any channel."""

    def transmit(self, apdu: Apdu, *, deadline: Deadline) -> bytes:
        """Send one command APDU and return the answer: data and two status bytes.

        Args:
            apdu: the command, with the class byte of its logical channel.

        Raises:
            CardUnreachable: the link is gone, gives no answer, or refuses the command (LinkRefused).
            CardBusy: the modem or the card asks to try again later.
            CardMalformed: the answer breaks the rules of the link's protocol.
        """
        ...


class Channel(Protocol):
    """A channel with one selected application."""

    @property
    def aid(self) -> Aid:
        """The AID of the application that answered SELECT."""
        ...

    def transmit(self, apdu: Apdu, *, deadline: Deadline) -> bytes:
        """Send one command APDU and return data and two status bytes; 61xx and 6Cxx are returned unchanged.

        Args:
            apdu: the command with the class byte of the basic channel (00 or 80): the channel inserts
                its own number, or leaves that to the modem that owns it.

        Raises:
            CardUnreachable, CardBusy, CardMalformed: as in RawCard.
        """
        ...

    def close(self, *, deadline: Deadline) -> None:
        """Close the channel; a second call does nothing.

        Raises:
            CardError: the channel could not be closed; a reset card has lost the channel anyway.
        """
        ...


class Device(Protocol):
    """The device that contains the card: a modem or a reader."""

    def imei(self, *, deadline: Deadline) -> Imei | None:
        """Return the device's IMEI, or None if the device reports none."""
        ...

    def close(self) -> None:
        """Release the port; never raises, and a second call does nothing."""
        ...


class Link(Device, Protocol):
    """An open link to one card."""

    @property
    def block_size(self) -> int:
        """The size in bytes of the largest STORE DATA block that is known, or assumed, to pass."""
        ...

    @block_size.setter
    def block_size(self, size: int) -> None: ...

    def open_channel(self, aids: Sequence[Aid], *, deadline: Deadline) -> Channel:
        """Open a channel and select the first of `aids` that the card knows.

        No channel stays open if this raises.

        Raises:
            CardStatus: the card has no free channel, or knows none of `aids` (`sw` 6A82).
            CardUnreachable, CardBusy, CardMalformed: as in RawCard.
        """
        ...

    def lend_modem(self, *, deadline: Deadline) -> AbstractContextManager[LentModem | None]:
        """Lend the modem that also reads the card; lend None if there is no modem, as in a reader.

        The modem may be used only while no channel is open on this link.

        Raises:
            CardUnreachable: the port is gone, or the modem does not answer.
        """
        ...


@runtime_checkable
class ChangingPort(Protocol):
    """A link that uses one of several ports."""

    @property
    def present(self) -> Link | None:
        """The link over the present port; None: the port is closed."""
        ...


def present_link(link: object) -> object:
    """Return the link over the port in use, whose features depend on the kind of port."""
    return link.present if isinstance(link, ChangingPort) else link
