"""The YAML document: plain values with their lines, and a limit on its expanded size.

This module, one of those that use PyYAML, turns nodes into values in place of PyYAML's
constructor, which keeps the last of two equal keys, loses the lines, and expands aliases without limit.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml

from lpad.base.untrusted_number import LARGEST as LARGEST_NUMBER
from lpad.settings.parsing.mistakes import KeyPath, Report

if TYPE_CHECKING:
    from collections.abc import Iterator

LARGEST = 1 << 20
"""The maximum number of bytes in a settings file."""
MOST_VALUES = 20_000
"""The maximum number of values in a file with expanded aliases; nine lines of aliases could otherwise fill
the memory."""
DEEPEST = 40
MOST_BRACKETS = 80
"""The maximum number of nested brackets: PyYAML checks all of them for each further word, which may take
minutes."""

LONGEST_NUMBER = 40
"""The maximum number of characters in a number; some numbers have a base prefix, or _ in between."""

_NUMBERS = {"tag:yaml.org,2002:int", "tag:yaml.org,2002:float"}
_MERGE = "tag:yaml.org,2002:merge"
_PLAIN = {"tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"}


class Document:
    """A file's content: its top-level value, and the line (from 1) of each value by its path."""

    def __init__(self) -> None:
        """Create an empty document."""
        self.value: Any = None
        self.lines: dict[KeyPath, int] = {}
        self.report = Report(self.lines)
        self._left = MOST_VALUES
        self._scalars = yaml.SafeLoader("")

    @classmethod
    def parse(cls, content: bytes) -> Document:
        """Read YAML; mistakes go into `report`, and `value` has None in place of a wrong value."""
        document = cls()
        document._parse(content)
        return document

    def _parse(self, content: bytes) -> None:
        self.lines[()] = 1
        if len(content) > LARGEST:
            self.report.wrong(f"the file is larger than {LARGEST >> 20} MiB; settings are never that large")
            return
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError as error:
            self.lines[()] = content.count(b"\n", 0, error.start) + 1
            self.report.wrong("not UTF-8 text; save the file in that encoding")
            return
        if _nested(text) > MOST_BRACKETS:
            self.report.wrong("not readable YAML: lists or mappings are nested too deeply")
            return
        try:
            top = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.YAMLError as error:
            self._not_yaml(error, text)
        except RecursionError:
            self.report.wrong("not readable YAML: lists or mappings are nested too deeply")
        else:
            if top is not None:
                try:
                    self.value = self._value(top, ())
                except _TooMuch:
                    self.report.wrong(
                        "aliases (*name) expand to more than settings may contain; write the values out"
                    )

    def _not_yaml(self, error: yaml.YAMLError, text: str) -> None:
        if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
            self.lines[()] = error.problem_mark.line + 1
            told = ", ".join(filter(None, (error.context, error.problem, error.note)))
        elif isinstance(error, yaml.reader.ReaderError):
            self.lines[()] = text.count("\n", 0, error.position) + 1
            told = f"the character U+{ord(text[error.position]):04X} is not allowed"
        else:
            told = " ".join(str(error).split())
        self.report.wrong(f"not YAML: {told}")

    def _value(self, node: yaml.Node, path: KeyPath) -> Any:
        self._left -= 1
        if self._left < 0 or len(path) > DEEPEST:
            raise _TooMuch
        self.lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        if node.tag not in _PLAIN:
            self.report.wrong(f"the YAML tag {node.tag} is not allowed", *path)
            return None
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        return [self._value(each, (*path, index)) for index, each in enumerate(node.value)]

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        given: dict[str, int] = {}
        merged: dict[str, Any] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.tag == _MERGE:
                for other in _merged(value):
                    unfolded = self._value(other, (*path, "<<"))
                    merged = {**unfolded, **merged} if isinstance(unfolded, dict) else merged
            elif not isinstance(key, yaml.ScalarNode):
                self.lines[*path, "?"] = line
                self.report.wrong("a key must be a single word", *path, "?")
            elif key.value in given:
                self.lines[*path, key.value] = line
                self.report.wrong(f"given twice, first on line {given[key.value]}", *path, key.value)
                self.lines[*path, key.value] = given[key.value]
            else:
                # The key as it is written, so that `no` and `1` remain text.
                self.lines[*path, key.value] = given[key.value] = line
                mapping[key.value] = self._value(value, (*path, key.value))
        return {**merged, **mapping}

    def _scalar(self, node: yaml.ScalarNode, path: KeyPath) -> Any:
        # Hexadecimal digits and YAML's base 60 (1:30:00) make huge numbers out of long text.
        if node.tag in _NUMBERS and len(node.value) > LONGEST_NUMBER:
            self.report.wrong(
                f"'{node.value[:40]}' is too long for a number; put it in quotes if it is text", *path
            )
            return None
        try:
            value = self._scalars.construct_object(node)
        except yaml.YAMLError:
            self.report.wrong(f"the YAML tag {node.tag} is not allowed", *path)
        except (ValueError, OverflowError):  # an impossible value, such as the date 2026-99-99
            self.report.wrong(f"'{node.value[:40]}' cannot be read; put it in quotes if it is text", *path)
        else:
            if not isinstance(value, int) or -LARGEST_NUMBER <= value <= LARGEST_NUMBER:
                return value
            self.report.wrong("the number is too large; put it in quotes if it is an ICCID", *path)
        return None


class _TooMuch(Exception):
    """The document expands to more than the limit."""


def _merged(node: yaml.Node) -> Iterator[yaml.Node]:
    """Return the mappings that `<<` merges, the most important mapping first."""
    return iter(node.value if isinstance(node, yaml.SequenceNode) else [node])


def _nested(text: str) -> int:
    """Return the largest number of nested brackets, including those in quotes and comments."""
    deepest = depth = 0
    for bracket in re.findall(r"[\[\]{}]", text):
        depth = depth + 1 if bracket in "[{" else max(0, depth - 1)
        deepest = max(deepest, depth)
    return deepest
