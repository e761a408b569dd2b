"""The latest commands or lines of a simulated modem, which tests read while the modem's thread adds more."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

_T = TypeVar("_T")


class Transcript(deque[_T]):
    """A bounded record, oldest entry first; an iteration sees the entries that exist when it begins."""

    def __iter__(self) -> Iterator[_T]:
        """Return an iterator over a copy, because a deque refuses an iteration during which it changes."""
        return iter(list(super().__iter__()))
