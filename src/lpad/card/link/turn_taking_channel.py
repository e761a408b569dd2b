"""A channel whose closing ends a turn; other users of the card wait until then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.base.errors import CardUnreachable

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.base.deadline import Deadline
    from lpad.card.link.link import Channel
    from lpad.protocol.apdu import Apdu


class TurnChannel:
    """Wraps a channel, and ends the turn once the channel is closed."""

    def __init__(
        self, channel: Channel, *, end: Callable[[], None], lost: Callable[[], None] | None = None
    ) -> None:
        """Use an open channel.

        Args:
            channel: open, within a turn.
            end: ends the turn; called once.
            lost: called after each APDU that fails with CardUnreachable.
        """
        self._channel = channel
        self.aid = channel.aid
        self._end = end
        self._lost = lost
        self._ended = False

    def transmit(self, apdu: Apdu, *, deadline: Deadline) -> bytes:
        """Send an APDU (see `Channel`)."""
        try:
            return self._channel.transmit(apdu, deadline=deadline)
        except CardUnreachable:
            if self._lost is not None:
                self._lost()
            raise

    def close(self, *, deadline: Deadline) -> None:
        """Close the channel and end the turn, even if closing fails."""
        if self._ended:
            return
        self._ended = True
        try:
            self._channel.close(deadline=deadline)
        finally:
            self._end()
