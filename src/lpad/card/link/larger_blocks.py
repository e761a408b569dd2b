"""Links that may pass larger blocks than the modem's quirk states.

A quirk applies to a family of modems, and many firmwares pass larger blocks. lpad tries larger blocks once
with each modem, with a harmless command, and remembers the result. A modem that has passed larger blocks may
later lose larger blocks silently: after the first lost block, lpad returns to the quirk's block size.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from lpad.card.link.link import present_link


@runtime_checkable
class LargerBlocks(Protocol):
    """A link with a block size from a quirk."""

    @property
    def may_try_larger(self) -> bool:
        """Whether larger blocks may pass, and have not been tried yet."""
        ...

    def begin_trial(self) -> None:
        """Record the larger blocks as failed before the trial, in case the modem or lpad fails during it."""
        ...

    def larger_passed(self) -> None:
        """Record that the modem passes the larger blocks."""
        ...

    def lost(self, size: int) -> None:
        """Remember that a block of `size` bytes was lost or damaged."""
        ...


def larger_blocks_of(link: object) -> LargerBlocks | None:
    """Return the link over the port in use if it implements `LargerBlocks`, otherwise None."""
    present = present_link(link)
    return present if isinstance(present, LargerBlocks) else None
