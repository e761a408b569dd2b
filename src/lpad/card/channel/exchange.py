"""One command over a transmitter, with the further commands that fetch its whole answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from lpad.base.errors import CardMalformed, CardUnreachable, InternalError, blamed_on
from lpad.card.port.link_refused import LinkRefused
from lpad.protocol.apdu import Apdu, Command, Exchange, Response

if TYPE_CHECKING:
    from lpad.base.deadline import Deadline


class Transmitter(Protocol):
    """The interface of a raw card or a channel, which transmits a command."""

    def transmit(self, apdu: Apdu, *, deadline: Deadline) -> bytes:
        """Send a command APDU, and return data and two status bytes."""
        ...


def exchange(via: Transmitter, command: Command, *, deadline: Deadline, attempted: str) -> Response:
    """Send a command and return its whole answer; handles 61xx and 6Cxx.

    Raises:
        CardUnreachable, CardBusy: as in `RawCard`; LinkRefused only if the card has not received the command.
        CardMalformed: no status word, or an endless answer.
    """
    machine = Exchange(command)
    while machine.to_send is not None:
        try:
            raw = via.transmit(Apdu(machine.to_send), deadline=deadline)
        except LinkRefused as error:
            if machine.to_send is command:
                raise
            # The card has received the command, so the error must not suggest sending the command again.
            raise CardUnreachable(error.sentence, retryable=error.retryable, **error.details) from error
        with blamed_on(CardMalformed, attempted):
            machine.feed(raw)
    if machine.response is None:
        raise InternalError("an APDU exchange ended without a response")
    return machine.response
