"""The settings file with its drop-ins: read, typed and checked, or refused with all mistakes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import field

from lpad.base.errors import InvalidSettings
from lpad.base.frozen import Frozen
from lpad.base.regular_file import read_regular
from lpad.settings.parsing.conversion import to_section
from lpad.settings.parsing.merging import MergedDocument, Place
from lpad.settings.parsing.mistakes import dotted
from lpad.settings.parsing.yaml_document import LARGEST, Document
from lpad.settings.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lpad.settings.parsing.mistakes import KeyPath, Mistake

MOST_DROP_INS = 100
LONGEST_SOCKET = 107
"""The maximum number of bytes in the path of a Unix socket (sun_path without its NUL, unix(7))."""


class SettingsFile(Frozen):
    """Settings with their file; relative paths start from the file's folder.

    `places` has the file and the line of each value, `replaced` the earlier places of values that a drop-in
    replaces. `lines` has only the lines in the main file.
    """

    path: Path
    settings: Settings
    places: Mapping[KeyPath, Place] = field(default_factory=dict)
    replaced: Mapping[KeyPath, Place] = field(default_factory=dict)
    lines: Mapping[KeyPath, int] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> SettingsFile:
        """Read and check a settings file and its drop-ins.

        The drop-ins of `lpad.yaml` are the files `*.yaml` in the folder `lpad.yaml.d`, in the order of their
        names. Each drop-in can override individual values of the preceding files.

        Raises:
            InvalidSettings: a file is unreadable, not YAML, or has unknown keys or values out of range. The
                sentence has a line for each mistake, like a compiler's output; the details contain the first
                mistake's `key` and `line`, and the number of `mistakes`.
        """
        document = MergedDocument()
        lines: Mapping[KeyPath, int] = {}
        for each in (path, *_drop_ins(path)):
            try:
                parsed = Document.parse(read_regular(each, most=LARGEST + 1))
            except (OSError, ValueError) as error:
                told = error.strerror if isinstance(error, OSError) else str(error)
                raise InvalidSettings(f"cannot read the settings file {each}: {told}") from error
            document.add(each, parsed)
            lines = lines or parsed.lines
        report = document.report
        settings = to_section(Settings, document.value, report) if report.sound() or document.value else None
        if settings is not None:
            file = cls(path, settings, document.places, document.replaced, lines)
            for key, text in (("socket", settings.socket), ("state_folder", settings.state_folder)):
                report.parsed(file.resolve, text, key)
            if report.sound("socket") and len(os.fsencode(file.resolve(settings.socket))) > LONGEST_SOCKET:
                report.wrong(f"the path of a socket must have at most {LONGEST_SOCKET} bytes", "socket")
            if not report.mistakes:
                return file
        raise _refused(path, sorted(report.mistakes, key=lambda each: (str(each.file), each.line)))

    def resolve(self, text: str) -> Path:
        """Return a path of the settings; a relative path starts from the file's folder.

        Raises:
            InvalidSettings: the path begins with the home folder of an unknown user.
        """
        try:
            return self.path.parent / Path(text).expanduser()
        except RuntimeError as error:
            raise InvalidSettings(
                f"{self.path}: cannot expand '{text}': there is no such home folder; write the whole path"
            ) from error


def origins(file: SettingsFile) -> Iterator[tuple[str, str]]:
    """Yield the dotted key of each value in the files, and its origin, in the order of the files.

    An origin is the file and the line of the value, and of the value that it replaces, if any. The values
    are left out, because some are secrets.
    """
    parents = {path[:end] for path in file.places for end in range(len(path))}
    for path, place in file.places.items():
        # a list is one value: a drop-in replaces it as a whole
        if path and not isinstance(path[-1], int) and (path not in parents or (*path, 0) in file.places):
            if any(isinstance(key, int) for key in path):
                continue
            instead = file.replaced.get(path)
            yield dotted(path), f"{place}" if instead is None else f"{place}, instead of {instead}"


def _drop_ins(path: Path) -> Iterator[Path]:
    """Yield the drop-ins of a settings file by name; hidden files, such as an editor's, do not count.

    Raises:
        InvalidSettings: the folder cannot be read, or has too many files.
    """
    folder = path.with_name(f"{path.name}.d")
    try:
        found = sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise InvalidSettings(f"cannot read the folder of drop-ins {folder}: {error.strerror}") from error
    wanted = [each for each in found if each.suffix == ".yaml" and each.name[0] != "."]
    if len(wanted) > MOST_DROP_INS:
        raise InvalidSettings(
            f"cannot read the drop-ins in {folder}: there are {len(wanted)}, but lpad reads at most"
            f" {MOST_DROP_INS}; join some of them"
        )
    yield from wanted


def _refused(path: Path, mistakes: list[Mistake]) -> InvalidSettings:
    first = mistakes[0]
    return InvalidSettings(
        "\n".join(f"{each.file or path}:{each.line}: {each}" for each in mistakes),
        key=first.key,
        line=first.line,
        mistakes=len(mistakes),
    )
