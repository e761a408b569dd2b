"""The ISD-R: ES10 commands in STORE DATA blocks, in a session that always ends (SGP.22 v2.5, 5.7.2)."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lpad.base.deadline import Deadline
from lpad.base.errors import CardError, CardMalformed, CardStatus, CardUnreachable
from lpad.base.identifiers import ISD_R
from lpad.card.channel.exchange import exchange
from lpad.card.channel.logical_channel import CLOSING
from lpad.card.channel.status_words import refused_at_once, status_error
from lpad.card.link.larger_blocks import larger_blocks_of
from lpad.card.link.time_measuring_channel import TimedChannel
from lpad.card.port.link_refused import LinkRefused
from lpad.codec.es10_intents import UNSTATED, Intent
from lpad.protocol.apdu import LARGEST_BLOCK, Command, store_data

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from lpad.base.identifiers import Aid
    from lpad.card.link.link import Channel, Link

_log = logging.getLogger(__name__)

_WRONG_LENGTH = "6700"
_DAMAGED = (_WRONG_LENGTH, "6A80", "6F00")
"""The status words (wrong length, wrong data, no diagnosis) that a card answers if a part of the command is
missing."""
_SMALLER_BLOCKS = (120, 63)
"""Smaller sizes to try: 120 fits modems that cut lines at 256 hex digits, 63 is OpenEUICC's choice."""


class Isdr:
    """The application on the card that carries out ES10 commands."""

    def __init__(self, channel: Channel, *, block_size: int = LARGEST_BLOCK) -> None:
        """Use a channel on which the ISD-R is selected.

        Args:
            channel: the open channel, which the caller closes.
            block_size: bytes in one STORE DATA block, 1 to 255.
        """
        self._channel = channel
        self._largest_carried = 0
        self._largest_of_command = 0
        self._shrunk = False
        self.block_size = block_size
        """The present block size, which `command` may have reduced."""
        self.lost_block_size: int | None = None
        """The size of the largest block of a lost or damaged command; None if there was no such command."""
        self.learned_block_size: int | None = None
        """The block size that worked after the link had refused a larger block; None before that."""
        self.closes = True
        """Whether the end of the session closes the channel, which lpad cannot do if the modem is silent."""

    @property
    def aid(self) -> Aid:
        """The AID under which the ISD-R answered."""
        return self._channel.aid

    def command(
        self,
        data: bytes,
        *,
        intent: Intent = UNSTATED,
        deadline: Deadline,
        on_block: Callable[[int], None] | None = None,
    ) -> bytes:
        """Send one ES10 command, or one segment of a bound profile package, and return the answer.

        No block is sent twice, with two exceptions. After 6Cxx to the last block, ISO requires a
        repetition. If the link refuses the first block, or the card refuses that block as too long, lpad
        tries smaller blocks, because the card has not accepted any part of the command. If a card answers
        before the last block, lpad does not send the remaining blocks.

        Args:
            data: the command with its tag, such as BF3E 03 5C 01 5A.
            intent: the effect of the command on the card.
            on_block: called after each block with the number of bytes of `data` that the card has accepted.

        Returns:
            The response data without status word; empty if the card returned none.

        Raises:
            InvalidValue: the command is too long for STORE DATA; nothing was sent.
            CardStatus: the card refused with a status word; 6F00 after enable, disable or reset means
                that the card was reset meanwhile and must be read again.
            CardUnreachable, CardBusy, CardMalformed: as in `RawCard`.
        """
        sent = 0
        self._largest_of_command = 0
        blocks = list(store_data(data, intent=intent, block_size=self.block_size))
        while blocks:
            block = blocks.pop(0)
            try:
                answer = self._send(block, deadline=deadline)
            except (LinkRefused, CardStatus) as refusal:
                smaller = self._smaller_than(block) if _may_be_too_long(refusal) else None
                if sent or smaller is None:
                    raise
                _log.warning(
                    "blocks of %d bytes are refused; trying blocks of %d bytes: %s",
                    len(block.data),
                    smaller,
                    refusal,
                )
                self.block_size = smaller
                self._shrunk = True
                blocks = list(store_data(data, intent=intent, block_size=smaller))
                continue
            if self._shrunk:
                self.learned_block_size = self.block_size
            sent += len(block.data)
            if on_block is not None:
                on_block(sent)
            if answer:
                return answer
        return b""

    def _send(self, block: Command, *, deadline: Deadline) -> bytes:
        self._largest_of_command = max(self._largest_of_command, len(block.data))
        try:
            answer = exchange(self._channel, block, deadline=deadline, attempted="STORE DATA to the ISD-R")
        except (CardUnreachable, CardMalformed):
            self.lost_block_size = self._largest_of_command
            raise
        if not answer.ok:
            if f"{answer.sw:04X}" in _DAMAGED:
                self.lost_block_size = self._largest_of_command
            explained = status_error if self._largest_carried else refused_at_once
            raise explained("STORE DATA to the ISD-R", answer.sw)
        self._largest_carried = max(self._largest_carried, len(block.data))
        return answer.data

    def _smaller_than(self, block: Command) -> int | None:
        """Return a smaller block size to try after a refusal, or None if none can help."""
        size = len(block.data)
        if size <= self._largest_carried:
            return None
        return next((smaller for smaller in _SMALLER_BLOCKS if smaller < size), None)


def _may_be_too_long(refusal: CardError) -> bool:
    return isinstance(refusal, LinkRefused) or refusal.details.get("sw") == _WRONG_LENGTH


@contextmanager
def isdr_session(
    link: Link,
    *,
    aids: Sequence[Aid] = (ISD_R,),
    block_size: int = LARGEST_BLOCK,
    observe: Callable[[float], None] | None = None,
    deadline: Deadline,
) -> Iterator[Isdr]:
    """Open a channel to the ISD-R, lend the ISD-R to the caller, and close the channel.

    Closing is tried once, and a failure is only logged: after enable, disable or reset, the modem may have
    reset the card and its channels, or have left the bus.

    Args:
        aids: the ISD-R's names to try, in this order.
        block_size: the maximum number of bytes in a STORE DATA block; the link may carry less. The link
            remembers a size that it accepted only after refusing a larger one.
        observe: called with the seconds that each command took; None: lpad does not measure them.
        deadline: for opening; closing has a separate deadline.

    Raises:
        CardError: the channel could not be opened; see `Link.open_channel`.
    """
    channel = link.open_channel(aids, deadline=deadline)
    if observe is not None:
        channel = TimedChannel(channel, observe)
    isdr = Isdr(channel, block_size=min(block_size, link.block_size))
    try:
        yield isdr
    finally:
        if isdr.learned_block_size is not None:
            link.block_size = isdr.learned_block_size
        if isdr.lost_block_size is not None and (losing := larger_blocks_of(link)) is not None:
            losing.lost(isdr.lost_block_size)
        if isdr.closes:
            try:
                channel.close(deadline=Deadline.after(CLOSING))
            except CardError as error:
                _log.debug("the ISD-R's channel was not closed: %s", error)
