"""A channel that a modem on a control port has opened, with its application selected."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from lpad.base.errors import CardUnreachable
from lpad.card.channel.channel_loss import LosableChannel

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.base.deadline import Deadline
    from lpad.base.identifiers import Aid
    from lpad.card.link.link import RawCard
    from lpad.protocol.apdu import Apdu

_log = logging.getLogger(__name__)


class ModemOwnedChannel(LosableChannel):
    """A channel that the modem opens and closes (see `Channel`)."""

    def __init__(
        self,
        card: RawCard,
        *,
        aid: Aid,
        number: int,
        close: Callable[[Deadline], None],
        unknown: Callable[[CardUnreachable], bool],
    ) -> None:
        """Wrap an open channel.

        Args:
            card: passes APDUs to the channel.
            number: the channel's number on the card, for the log.
            close: a function that has the modem close the channel.
            unknown: a function that returns whether a refusal means that the modem does not know the
                channel, because it was lost.
        """
        super().__init__(aid)
        self._card = card
        self._number = number
        self._close = close
        self._unknown = unknown

    def close(self, *, deadline: Deadline) -> None:
        """Close the channel (see `Channel`); does nothing if the card has lost it."""
        if not self._open:
            return
        self._open = False
        try:
            if self._is_lost(deadline=deadline):
                _log.debug("channel %d was lost when the card restarted", self._number)
                return
            self._close(deadline)
        except CardUnreachable as error:
            if not self._unknown(error):
                raise
            _log.debug("channel %d was lost when the modem reset the card", self._number)

    def _pass(self, apdu: Apdu, *, deadline: Deadline) -> bytes:
        return self._card.transmit(apdu, deadline=deadline)
