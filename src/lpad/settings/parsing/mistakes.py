"""What is wrong with a settings file: every mistake with its line and key, gathered before any is told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lpad.base.errors import LpadError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

KeyPath = tuple[str | int, ...]
"""Where a value stands: keys of mappings, and positions in lists from 0."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing that is wrong; `line` counts from 1, `key` is dotted and empty for the file as a whole."""

    line: int
    key: str
    told: str

    def __str__(self) -> str:
        return f"'{self.key}': {self.told}" if self.key else self.told


@dataclass(frozen=True, slots=True)
class Report:
    """Gathers the mistakes in one place of the file and below; `below` leads down."""

    lines: Mapping[KeyPath, int]
    at: KeyPath = ()
    mistakes: list[Mistake] = field(default_factory=list)
    spoilt: set[KeyPath] = field(default_factory=set)

    def below(self, *keys: str | int) -> Report:
        """Return the report for what stands below here; mistakes found there are this one's too."""
        return Report(self.lines, (*self.at, *keys), self.mistakes, self.spoilt)

    def wrong(self, told: str, *keys: str | int) -> None:
        """Note a mistake here, or below at `keys`: what is wanted, in words that follow the key."""
        path = (*self.at, *keys)
        self.spoil(*keys)
        self.mistakes.append(Mistake(self._line(path), dotted(path), told))

    def spoil(self, *keys: str | int) -> None:
        """Note that what stands here can't be judged, for a mistake that was told already."""
        self.spoilt.add((*self.at, *keys))

    def sound(self, *keys: str | int) -> bool:
        """Return whether no mistake was noted here, or below at `keys`, or deeper still."""
        path = (*self.at, *keys)
        return not any(each[: len(path)] == path for each in self.spoilt)

    def parsed(self, parse: Callable[[Any], object], value: object, *keys: str | int) -> None:
        """Note what `parse` says against a value; it raises one of our errors for one that is wrong."""
        try:
            parse(value)
        except LpadError as error:
            self.wrong(error.sentence, *keys)

    def _line(self, path: KeyPath) -> int:
        """Return the line of the nearest place that stands in the file: a missing key has its parent's."""
        return next(
            (self.lines[path[:end]] for end in range(len(path), -1, -1) if path[:end] in self.lines), 1
        )


def dotted(path: KeyPath) -> str:
    """Return a path as people write it, such as `euiccs.modem.aids[0]`."""
    text = "".join(f"[{each}]" if isinstance(each, int) else f".{each}" for each in path)
    return text.removeprefix(".")
