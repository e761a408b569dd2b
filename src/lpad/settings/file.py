"""A settings file: read, typed and checked, or refused with all of its mistakes."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from lpad.base.errors import InvalidSettings
from lpad.base.regular_file import read_regular
from lpad.settings.parsing.conversion import to_section
from lpad.settings.parsing.yaml_document import LARGEST, Document
from lpad.settings.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lpad.settings.parsing.mistakes import KeyPath, Mistake

LONGEST_SOCKET = 107
"""Bytes in the path of a Unix socket (sun_path without its NUL, unix(7))."""


@dataclass(frozen=True, slots=True)
class SettingsFile:
    """Settings with their file, to whose folder relative paths refer.

    `lines` has the line of each value in the file.
    """

    path: Path
    settings: Settings
    lines: Mapping[KeyPath, int] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> SettingsFile:
        """Read and check a settings file.

        Raises:
            InvalidSettings: the file is unreadable, not YAML, or has unknown keys or values out of range. The
                sentence has a line for each mistake, like a compiler's output; the details contain the first
                one's
                `key` and `line`, and the number of `mistakes`.
        """
        try:
            document = Document.parse(read_regular(path, most=LARGEST + 1))
        except (OSError, ValueError) as error:
            told = error.strerror if isinstance(error, OSError) else str(error)
            raise InvalidSettings(f"cannot read the settings file {path}: {told}") from error
        report = document.report
        if document.value is not None and not isinstance(document.value, dict):
            report.wrong("the file must contain keys and values, such as 'socket: PATH'")
        settings = to_section(Settings, document.value, report) if report.sound() or document.value else None
        if settings is not None:
            file = cls(path, settings, document.lines)
            for key, text in (("socket", settings.socket), ("state_folder", settings.state_folder)):
                report.parsed(file.resolve, text, key)
            if report.sound("socket") and len(os.fsencode(file.resolve(settings.socket))) > LONGEST_SOCKET:
                report.wrong(f"the path of a socket must have at most {LONGEST_SOCKET} bytes", "socket")
            if not report.mistakes:
                return file
        raise _refused(path, sorted(report.mistakes, key=lambda each: each.line))

    def resolve(self, text: str) -> Path:
        """Return a path from the file, relative ones from the file's own folder.

        Raises:
            InvalidSettings: the path begins with the home folder of an unknown user.
        """
        try:
            return self.path.parent / Path(text).expanduser()
        except RuntimeError as error:
            raise InvalidSettings(
                f"{self.path}: cannot expand '{text}': there is no such home folder"
            ) from error


def _refused(path: Path, mistakes: list[Mistake]) -> InvalidSettings:
    first = mistakes[0]
    return InvalidSettings(
        "\n".join(f"{path}:{each.line}: {each}" for each in mistakes),
        key=first.key,
        line=first.line,
        mistakes=len(mistakes),
    )
