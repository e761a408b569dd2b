"""Regular expressions that are compiled when they are first used."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, AnyStr, Generic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class LazyPattern(Generic[AnyStr]):
    """A pattern for a module's constant, which `re.compile` would compile at each start, used or not."""

    __slots__ = ("_compiled", "_flags", "pattern")

    def __init__(self, pattern: AnyStr, flags: int = 0) -> None:
        """Store the arguments of `re.compile`; an invalid pattern raises `re.error` at its first use."""
        self.pattern: AnyStr = pattern
        self._flags = flags
        self._compiled: re.Pattern[AnyStr] | None = None

    @property
    def compiled(self) -> re.Pattern[AnyStr]:
        """The compiled pattern."""
        if self._compiled is None:
            self._compiled = re.compile(self.pattern, self._flags)
        return self._compiled

    def fullmatch(self, text: AnyStr) -> re.Match[AnyStr] | None:
        """Return the match if the pattern matches the whole text, otherwise None."""
        return self.compiled.fullmatch(text)

    def match(self, text: AnyStr) -> re.Match[AnyStr] | None:
        """Return the match if the pattern matches the beginning of the text, otherwise None."""
        return self.compiled.match(text)

    def search(self, text: AnyStr) -> re.Match[AnyStr] | None:
        """Return the first match, or None if there is none."""
        return self.compiled.search(text)

    def finditer(self, text: AnyStr) -> Iterator[re.Match[AnyStr]]:
        """Return an iterator over all matches."""
        return self.compiled.finditer(text)

    def findall(self, text: AnyStr) -> list[AnyStr]:
        """Return the text of each match, or of the match's group in a pattern with one group."""
        return self.compiled.findall(text)

    def split(self, text: AnyStr) -> list[AnyStr]:
        """Return the parts of the text between the matches."""
        return self.compiled.split(text)

    def sub(self, replacement: AnyStr | Callable[[re.Match[AnyStr]], AnyStr], text: AnyStr) -> AnyStr:
        """Return the text with each match replaced."""
        return self.compiled.sub(replacement, text)
