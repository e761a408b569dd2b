"""The mistakes in a settings file, each with its line and key, collected before they are reported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from msgspec import field

from lpad.base.errors import LpadError
from lpad.base.frozen import Frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

KeyPath = tuple[str | int, ...]
"""The path of a value: keys of mappings, and positions in lists from 0."""


class InFile(Protocol):
    """The place of a value if there are several files."""

    @property
    def file(self) -> Path:
        """The file."""

    @property
    def line(self) -> int:
        """The line, from 1."""


class Mistake(Frozen):
    """One mistake; `line` counts from 1, `key` is dotted and empty for the file as a whole.

    `file` is None if there is only one file.
    """

    line: int
    key: str
    told: str
    file: Path | None = None

    def __str__(self) -> str:
        return f"'{self.key}': {self.told}" if self.key else self.told


class Report(Frozen):
    """Collects the mistakes at one place of the file and below it."""

    lines: Mapping[KeyPath, int] | Mapping[KeyPath, InFile]
    at: KeyPath = ()
    mistakes: list[Mistake] = field(default_factory=list)
    spoilt: set[KeyPath] = field(default_factory=set)

    def below(self, *keys: str | int) -> Report:
        """Return the report for a place below this place; both reports collect the same mistakes."""
        return Report(self.lines, (*self.at, *keys), self.mistakes, self.spoilt)

    def wrong(self, told: str, *keys: str | int) -> None:
        """Add a mistake here, or below at `keys`; the text `told` is shown after the key."""
        path = (*self.at, *keys)
        self.spoil(*keys)
        self.mistakes.append(_mistake(self._place(path), path, told))

    def add(self, other: Report, places: Mapping[KeyPath, InFile]) -> None:
        """Add the mistakes of one of several files; `places` are the places of this file's values."""
        there = places.get(())
        for each in other.mistakes:
            self.mistakes.append(Mistake(each.line, each.key, each.told, there.file if there else None))
        self.spoilt.update(other.spoilt)

    def spoil(self, *keys: str | int) -> None:
        """Mark this place as unreliable because of an already reported mistake."""
        self.spoilt.add((*self.at, *keys))

    def sound(self, *keys: str | int) -> bool:
        """Return whether this place, or that at `keys` below it, is free of mistakes, down to its leaves."""
        path = (*self.at, *keys)
        return not any(each[: len(path)] == path for each in self.spoilt)

    def parsed(self, parse: Callable[[Any], object], value: object, *keys: str | int) -> None:
        """Add a mistake if `parse` raises one of lpad's errors for a value."""
        try:
            parse(value)
        except LpadError as error:
            self.wrong(error.sentence, *keys)

    def _place(self, path: KeyPath) -> int | InFile:
        """Return the place of the nearest existing value; a missing key has its parent's place."""
        return next(
            (self.lines[path[:end]] for end in range(len(path), -1, -1) if path[:end] in self.lines), 1
        )


def _mistake(place: int | InFile, path: KeyPath, told: str) -> Mistake:
    if isinstance(place, int):
        return Mistake(place, dotted(path), told)
    return Mistake(place.line, dotted(path), told, place.file)


def dotted(path: KeyPath) -> str:
    """Return a path in readable form, such as `euiccs.modem.aids[0]`."""
    text = "".join(f"[{each}]" if isinstance(each, int) else f".{each}" for each in path)
    return text.removeprefix(".")
