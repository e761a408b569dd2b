"""A channel that is noted on disk while it is open, and that reports a failing link."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from lpad.base.errors import CardError, CardUnreachable
from lpad.card.link.link import Channel
from lpad.card.port.link_refused import LinkRefused

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.base.deadline import Deadline
    from lpad.card.link.remembered_links import OpenChannel
    from lpad.protocol.apdu import Apdu

_TOO_SMALL_TO_BLAME = 63
"""The size in bytes of a block that every link accepts, so that its length cannot cause a refusal."""


class NamedChannel(Channel, Protocol):
    """A channel with a name by which another process can close it."""

    @property
    def handle(self) -> str:
        """The modem's name for the channel, or its number on the card."""
        ...


class CrashSafeChannel:
    """A modem's channel that is noted on disk while it is open."""

    def __init__(self, channel: NamedChannel, note: OpenChannel, *, on_refusal: Callable[[], None]) -> None:
        """Wrap a channel that is open and noted.

        Args:
            note: the note on disk, cleared once the channel is closed.
            on_refusal: called if the link refuses a block for a reason other than its length; another kind
                of link may be better for the next channel.
        """
        self._channel = channel
        self.aid = channel.aid
        self._note = note
        self._on_refusal = on_refusal

    def transmit(self, apdu: Apdu, *, deadline: Deadline) -> bytes:
        """Send an APDU (see `Channel`); report a refusal for a reason other than the block's length."""
        try:
            return self._channel.transmit(apdu, deadline=deadline)
        except LinkRefused:
            command = apdu.command
            if command.block is not None and (command.block > 0 or len(command.data) <= _TOO_SMALL_TO_BLAME):
                self._on_refusal()
            raise

    def close(self, *, deadline: Deadline) -> None:
        """Close the channel (see `Channel`).

        If the modem or the card refuses, lpad assumes that a reset of the card has closed the channel. The
        note is kept only if the modem does not answer.
        """
        try:
            self._channel.close(deadline=deadline)
        except CardError as error:
            if not isinstance(error, CardUnreachable) or "modem_error" in error.details:
                self._note.clear()
            raise
        self._note.clear()
