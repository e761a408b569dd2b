"""The mistakes in a settings file, each with its line and key, collected before they are reported."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lpad.base.errors import LpadError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

KeyPath = tuple[str | int, ...]
"""The path of a value: keys of mappings, and positions in lists from 0."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake; `line` counts from 1, `key` is dotted and empty for the file as a whole."""

    line: int
    key: str
    told: str

    def __str__(self) -> str:
        return f"'{self.key}': {self.told}" if self.key else self.told


@dataclass(frozen=True, slots=True)
class Report:
    """Collects the mistakes at one place of the file and below it."""

    lines: Mapping[KeyPath, int]
    at: KeyPath = ()
    mistakes: list[Mistake] = field(default_factory=list)
    spoilt: set[KeyPath] = field(default_factory=set)

    def below(self, *keys: str | int) -> Report:
        """Return the report for a place below this one, which shares its mistakes."""
        return Report(self.lines, (*self.at, *keys), self.mistakes, self.spoilt)

    def wrong(self, told: str, *keys: str | int) -> None:
        """Add a mistake here, or below at `keys`, in words that follow the key."""
        path = (*self.at, *keys)
        self.spoil(*keys)
        self.mistakes.append(Mistake(self._line(path), dotted(path), told))

    def spoil(self, *keys: str | int) -> None:
        """Mark this place as unreliable because of an already reported mistake."""
        self.spoilt.add((*self.at, *keys))

    def sound(self, *keys: str | int) -> bool:
        """Return whether there is no mistake here or below, or below `keys`."""
        path = (*self.at, *keys)
        return not any(each[: len(path)] == path for each in self.spoilt)

    def parsed(self, parse: Callable[[Any], object], value: object, *keys: str | int) -> None:
        """Add a mistake if `parse` raises one of lpad's errors for a value."""
        try:
            parse(value)
        except LpadError as error:
            self.wrong(error.sentence, *keys)

    def _line(self, path: KeyPath) -> int:
        """Return the line of the nearest existing place; a missing key has its parent's line."""
        return next(
            (self.lines[path[:end]] for end in range(len(path), -1, -1) if path[:end] in self.lines), 1
        )


def dotted(path: KeyPath) -> str:
    """Return a path in readable form, such as `euiccs.modem.aids[0]`."""
    text = "".join(f"[{each}]" if isinstance(each, int) else f".{each}" for each in path)
    return text.removeprefix(".")
