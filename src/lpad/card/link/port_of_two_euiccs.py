"""One port to a card with two eUICCs: each eUICC gets its own link, and the links take turns.

Cards with two secure elements (ESTK.me) have two ISD-Rs with an EID each, behind one modem whose port
is locked. The workers of the two eUICCs are independent of each other.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lpad.base.errors import CardBusy
from lpad.card.link.larger_blocks import larger_blocks_of
from lpad.card.link.link_facts import facts_of
from lpad.card.link.turn_taking_channel import TurnChannel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from lpad.base.deadline import Deadline
    from lpad.base.identifiers import Aid, Imei
    from lpad.card.link.larger_blocks import LargerBlocks
    from lpad.card.link.link import Channel, Link
    from lpad.card.link.link_facts import LinkFacts
    from lpad.card.modem.modem_lent_by_link import LentModem


class SharedPort:
    """Opens the port for the first user, and closes it when the last user leaves."""

    def __init__(self, open_link: Callable[[Deadline], Link], *, name: str) -> None:
        """Store `open_link`, which opens the port for the first user."""
        self._open_link = open_link
        self._name = name
        self._turn = threading.Lock()
        self._counting = threading.Lock()
        self._users = 0
        self._link: Link | None = None
        self._given_up = False

    def open_link(self, deadline: Deadline) -> SharedLink:
        """Return a link to the port, and open the port if necessary.

        Raises:
            CardBusy: another user of this port does not end its turn in time.
            CardError: the port cannot be opened.
        """
        self.begin(deadline=deadline)
        try:
            self.link(deadline=deadline)
            with self._counting:
                self._users += 1
        finally:
            self.end()
        return SharedLink(self)

    def begin(self, *, deadline: Deadline) -> None:
        """Wait for the caller's turn.

        Raises:
            CardBusy: another user of this port does not end its turn in time.
        """
        if not self._turn.acquire(timeout=deadline.remaining()):
            raise CardBusy(
                f"{self._name} is in use for the card's other eUICC: wait until the change on it is done, or"
                " cancel that change"
            )

    def end(self) -> None:
        """End the caller's turn, and close the port if it has no users."""
        with self._counting:
            if self._users == 0:
                self._close()
            self._turn.release()

    def link(self, *, deadline: Deadline) -> Link:
        """Return the link over the port, during a turn; reopen a port that a user has given up.

        Raises:
            CardError: the port cannot be opened.
        """
        if self._given_up:
            self._close()
        if self._link is None:
            self._link = self._open_link(deadline)
            self._given_up = False
        return self._link

    @property
    def block_size(self) -> int | None:
        """The block size of the port's link; None while the link is closed."""
        return None if self._link is None else self._link.block_size

    def describe(self) -> LinkFacts:
        """Return the description of the port's link."""
        return facts_of(self._link)

    def learn_block_size(self, size: int) -> None:
        """Pass a learned block size on to the port's link."""
        if self._link is not None:
            self._link.block_size = size

    @property
    def larger_blocks(self) -> LargerBlocks | None:
        """The port's link if it can try larger blocks; None if it cannot, or while the port is closed."""
        return larger_blocks_of(self._link)

    def leave(self) -> None:
        """Record that a user has left, because it has finished or has lost the card.

        The port is reopened for the other users, because a failure for one user is a failure for all.
        """
        with self._counting:
            self._users -= 1
            self._given_up = True
            if self._users == 0 and self._turn.acquire(blocking=False):
                self._close()
                self._turn.release()

    def _close(self) -> None:
        if self._link is not None:
            self._link.close()
            self._link = None


class SharedLink:
    """The link of one user to the shared port."""

    def __init__(self, port: SharedPort) -> None:
        """Use an open port."""
        self._port = port
        self._left = False

    @property
    def block_size(self) -> int:
        """The size in bytes of the largest STORE DATA block that is known, or assumed, to pass."""
        return self._port.block_size or 255

    @block_size.setter
    def block_size(self, size: int) -> None:
        self._port.learn_block_size(size)

    @property
    def may_try_larger(self) -> bool:
        """Whether larger blocks may be possible at the open port (see `LargerBlocks`)."""
        link = self._port.larger_blocks
        return link is not None and link.may_try_larger

    def begin_trial(self) -> None:
        """Remember the larger blocks as failed until they have passed (see `LargerBlocks`)."""
        if (link := self._port.larger_blocks) is not None:
            link.begin_trial()

    def larger_passed(self) -> None:
        """Remember that larger blocks passed (see `LargerBlocks`)."""
        if (link := self._port.larger_blocks) is not None:
            link.larger_passed()

    def lost(self, size: int) -> None:
        """Remember that a block was lost (see `LargerBlocks`)."""
        if (link := self._port.larger_blocks) is not None:
            link.lost(size)

    def describe(self) -> LinkFacts:
        """Return the link's description (see `Described`)."""
        return self._port.describe()

    def imei(self, *, deadline: Deadline) -> Imei | None:
        """Return the device's IMEI; None if it is unknown (see `Device`)."""
        self._port.begin(deadline=deadline)
        try:
            return self._port.link(deadline=deadline).imei(deadline=deadline)
        finally:
            self._port.end()

    @contextmanager
    def lend_modem(self, *, deadline: Deadline) -> Iterator[LentModem | None]:
        """Lend the modem (see `Link`); the other users wait until the modem is returned.

        Raises:
            CardBusy: another user of this port does not end its turn in time.
        """
        self._port.begin(deadline=deadline)
        try:
            link = self._port.link(deadline=deadline)
            with link.lend_modem(deadline=deadline) as lent:
                yield lent
        finally:
            self._port.end()

    def open_channel(self, aids: Sequence[Aid], *, deadline: Deadline) -> Channel:
        """Open a channel (see `Link`); the other users wait until the channel is closed.

        Raises:
            CardBusy: another user of this port does not end its turn in time.
        """
        self._port.begin(deadline=deadline)
        try:
            channel = self._port.link(deadline=deadline).open_channel(aids, deadline=deadline)
        except BaseException:
            self._port.end()
            raise
        return TurnChannel(channel, end=self._port.end)

    def close(self) -> None:
        """Release the port to the other users."""
        if not self._left:
            self._left = True
            self._port.leave()
