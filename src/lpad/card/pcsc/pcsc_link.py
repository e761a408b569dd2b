"""A link to a card in a PC/SC reader, in which lpad is the card's only terminal."""

from __future__ import annotations

import logging
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from lpad.base.errors import CardError
from lpad.card.channel.apdu_trace import TracedCard
from lpad.card.channel.exchange import exchange
from lpad.card.channel.logical_channel import TERMINAL_CAPABILITY, RawLink
from lpad.card.channel.proactive import ProactiveCard
from lpad.card.link.expected_length import AnswerLengthChannel
from lpad.card.link.isdr_aids import remembered_first
from lpad.card.link.link_facts import LinkFacts
from lpad.card.link.remembered_links import LinkMemory, Remembered, card_key
from lpad.card.link.turn_taking_channel import TurnChannel
from lpad.card.pcsc.card import PcscCard
from lpad.card.pcsc.error_codes import was_reset
from lpad.protocol import proactive
from lpad.protocol.apdu import LARGEST_BLOCK

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from lpad.base.deadline import Deadline
    from lpad.base.identifiers import Aid, Imei
    from lpad.card.link.link import Channel

_log = logging.getLogger(__name__)

_MOST_OPENINGS = 3
"""The maximum number of attempts to open a channel while other programs reset the card."""


class PcscLink:
    """A link that occupies its reader at least during each session; see `PcscCard`."""

    def __init__(
        self,
        card: PcscCard,
        *,
        terminal_capability: bytes | None = TERMINAL_CAPABILITY,
        terminal_profile: bytes | None = None,
        name: str = "pcsc",
        memory: LinkMemory | None = None,
        unredacted: bool = False,
    ) -> None:
        """Create a link from a card; nothing is sent before the first channel.

        Args:
            card: the card, which this link then owns.
            terminal_capability: see `RawLink`. In a reader, no modem has sent TERMINAL CAPABILITY.
            terminal_profile: the TERMINAL PROFILE for a card that is not proactive without it, such as
                `proactive.REFRESH_ONLY`. None: lpad sends no TERMINAL PROFILE, which suffices for all
                known eUICCs, and prevents proactive commands of other applets.
            name: name in the APDU trace.
            memory: the remembered cards in readers; None: lpad remembers none.
            unredacted: whether the APDU trace always shows payloads; see `TracedCard`.
        """
        self._card = card
        traced = TracedCard(card, name=name, unredacted=unredacted)
        self._served = ProactiveCard(traced, power=card)
        self._raw = RawLink(self._served, device=self, terminal_capability=terminal_capability)
        self._terminal_profile = terminal_profile
        self._introduced = 0
        self._memory = memory or LinkMemory(None)
        self._key: str | None = None
        self._recalled = 0
        self._remembered = Remembered()

    @property
    def block_size(self) -> int:
        """Bytes in the largest STORE DATA block: a whole short APDU, unless reader or card refused one."""
        return self._remembered.block_size or LARGEST_BLOCK

    @block_size.setter
    def block_size(self, size: int) -> None:
        self._remember(block_size=size)

    def open_channel(self, aids: Sequence[Aid], *, deadline: Deadline) -> Channel:
        """Take a turn with the card, open a channel and select an application (see `Link`).

        If another program resets the card in between, nothing is lost yet, so the channel is opened again.
        """
        for _ in range(_MOST_OPENINGS - 1):
            try:
                return self._open_channel(aids, deadline=deadline)
            except CardError as error:
                if not was_reset(error):
                    raise
                _log.info("opening the channel again, because of an error: %s", error)
        return self._open_channel(aids, deadline=deadline)

    def _open_channel(self, aids: Sequence[Aid], *, deadline: Deadline) -> Channel:
        self._card.begin(deadline=deadline)
        try:
            self._recall(deadline=deadline)
            self._introduce(deadline=deadline)
            names = remembered_first(aids, self._remembered.isdr_aid)
            channel = self._raw.open_channel(names, deadline=deadline)
            if len(aids) > 1:  # with a single name, there is nothing to remember
                self._remember(isdr_aid=str(channel.aid))
            answered = AnswerLengthChannel(
                channel, needed=self._remembered.le, learn=lambda needed: self._remember(le=needed)
            )
            return TurnChannel(answered, end=self._card.end, lost=self._lost)
        except BaseException:
            self._card.end()
            raise

    def imei(self, *, deadline: Deadline) -> Imei | None:
        """Return None: a reader has no IMEI. The settings may give one."""
        del deadline
        return None

    def describe(self) -> LinkFacts:
        """Return the link's description (see `Described`)."""
        return LinkFacts(
            kind=self._card.protocol, reader=self._card.reader, channels_closed=self._raw.channels_closed
        )

    def close(self) -> None:
        """Release the reader."""
        self._card.close()

    def lend_modem(self, *, deadline: Deadline) -> AbstractContextManager[None]:
        """Return a context with None: there is no modem in a reader."""
        del deadline
        return nullcontext()

    def _lost(self) -> None:
        self._card.starts += 1  # the card may have been reset; a reset card forgets TERMINAL PROFILE

    def _recall(self, *, deadline: Deadline) -> None:
        """Identify the card once after each of its starts, and load the remembered data about it."""
        if self._recalled == self._card.starts:
            return
        self._key = card_key(self._card.reader or "", self._card.atr(deadline=deadline))
        self._remembered = self._memory.get(self._key) or Remembered()
        self._recalled = self._card.starts

    def _remember(self, **what: Any) -> None:
        self._remembered = replace(self._remembered, **what)
        if self._key is not None:
            self._memory.put(self._key, self._remembered)

    def _introduce(self, *, deadline: Deadline) -> None:
        """Send TERMINAL PROFILE once for each start of the card."""
        if self._terminal_profile is None or self._introduced == self._card.starts:
            return
        command = proactive.terminal_profile(self._terminal_profile)
        exchange(self._served, command, deadline=deadline, attempted="TERMINAL PROFILE")
        self._introduced = self._card.starts


def open_pcsc_link(
    reader: str | int,
    *,
    shared: bool = False,
    deadline: Deadline,
    terminal_capability: bytes | None = TERMINAL_CAPABILITY,
    terminal_profile: bytes | None = None,
    memory: LinkMemory | None = None,
    unredacted: bool = False,
) -> PcscLink:
    """Open the link to the card in a PC/SC reader, and check that the card is there.

    Args:
        reader: a name, a pattern with * and ?, or a position from 0; see `choose_reader`.
        shared: whether other programs may use the card between lpad's sessions; by default the reader is
            locked until the link is closed.
        terminal_capability: see `RawLink`.
        terminal_profile: see `PcscLink`.
        memory: the cards remembered across restarts; None: lpad remembers none.
        unredacted: whether the APDU trace always shows payloads; see `TracedCard`.

    Raises:
        CardUnreachable: no pyscard, pcscd, reader or card, or the card does not answer.
        CardBusy: another program uses the reader.
    """
    card = PcscCard(reader, shared=shared)
    try:
        card.begin(deadline=deadline)
        card.end()
    except BaseException:
        card.close()
        raise
    return PcscLink(
        card,
        terminal_capability=terminal_capability,
        terminal_profile=terminal_profile,
        name=str(reader),
        memory=memory,
        unredacted=unredacted,
    )
