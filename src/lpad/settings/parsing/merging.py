"""Several settings files as one document: a later file overrides individual values of earlier files.

Mappings are merged key by key. Any other value, even a list, replaces the earlier value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lpad.base.frozen import Frozen
from lpad.settings.parsing.mistakes import KeyPath, Report

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from lpad.settings.parsing.yaml_document import Document


class Place(Frozen):
    """A line of a file, counted from 1."""

    file: Path
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class MergedDocument:
    """The files' values, with the place of each, and the earlier places of values that were replaced."""

    def __init__(self) -> None:
        """Create an empty document."""
        self.value: Any = None
        self.places: dict[KeyPath, Place] = {}
        self.replaced: dict[KeyPath, Place] = {}
        self.report = Report(self.places)

    def add(self, file: Path, document: Document) -> None:
        """Add the next file, with its mistakes."""
        places = {path: Place(file, line) for path, line in document.lines.items()}
        self.report.add(document.report, places)
        if document.value is not None and not isinstance(document.value, dict):
            here = Report(places, mistakes=self.report.mistakes, spoilt=self.report.spoilt)
            here.wrong("the file must contain keys and values, such as 'socket: PATH'")
            return
        if not self.places:
            self.places |= places
            self.value = document.value
        elif document.value is not None:
            self.value = self._merged(self.value or {}, document.value, (), places)

    def _merged(
        self, earlier: dict[str, Any], later: dict[str, Any], at: KeyPath, places: Mapping[KeyPath, Place]
    ) -> dict[str, Any]:
        merged = dict(earlier)
        for key, value in later.items():
            path = (*at, key)
            if isinstance(value, dict) and isinstance(merged.get(key), dict):
                merged[key] = self._merged(merged[key], value, path, places)
                continue
            if path in self.places and path in places:
                self.replaced[path] = self.places[path]
            for old in [each for each in self.places if each[: len(path)] == path]:
                del self.places[old]
            self.places |= {each: place for each, place in places.items() if each[: len(path)] == path}
            merged[key] = value
        return merged
