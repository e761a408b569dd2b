"""The directories and files that a profile package creates, and the faults that a strict card refuses.

A card creates files as it reads (TCA Interoperable Profile specification 2.3, 8.3 and annex A): a template
makes its directory and files, and GenericFileManagement makes more of them, in directories that exist by
then. Real cards answer a package that breaks these rules with installFailedDueToPEProcessingError.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lpad.base.errors import MalformedError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Set as AbstractSet

    from lpad.codec.asn1.tlv import Tlv

Path = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class CreatedFile:
    """An elementary file as created by the package; `record_length` None: it has no records."""

    content: bytes
    record_length: int | None = None
    rule: bytes = b""
    """The access rule: EF.ARR and record."""
    short_identifier: int | None = None


MF: Path = (0x3F00,)
_FCP_OF_A_TEMPLATE, _FCP_OF_A_COMMAND, _FILE_PATH, _DO_NOT_CREATE = 0xA1, 0x62, 0x80, 0x80
_DESCRIPTOR, _IDENTIFIER, _RULE, _SIZE, _PINS, _LINK = 0x82, 0x83, 0x8B, 0x80, 0xC6, 0xC7
_NAME, _SHORT = 0x84, 0x88
_OFFSET, _CONTENT = 0x82, 0x83
_OFFSET_IN_A_COMMAND, _CONTENT_IN_A_COMMAND = 0x02, 0x81
_DIRECTORY = 0x38
"""Bits of a file descriptor (ETSI TS 102 221, 11.1.1.4.3)."""
_LONGEST_PATH = 8
LARGEST_FILE = 0x8000
"""The maximum size of a file in bytes, which READ BINARY and UPDATE BINARY can address (ETSI TS 102 221,
11.1.3)."""

_MF_ELEMENT, _CD, _TELECOM, _USIM, _ISIM, _CSIM = 0xB0, 0xB1, 0xB2, 0xB3, 0xB5, 0xB9
_BELOW_MF = {_CD: 0x7F11, _TELECOM: 0x7F10}
_APPLICATIONS = frozenset({_USIM, _ISIM, _CSIM})
"""Elements that create an ADF, under the temporary identifier that they name."""
_BELOW_ADF = {
    0xB7: 0x5F3A,
    0xB8: 0x5F3B,
    0xBB: None,
    0xBC: 0x5FC0,
    0xBD: 0x5FD0,
    0xBE: 0x5FE0,
    0xBF1F: 0x5FF0,
}
"""Elements that create a directory in the preceding ADF, and the directory's usual identifier."""
_WITHOUT_DIRECTORY = frozenset({0xB4, 0xB6, 0xBA})
"""Elements that add files to the preceding ADF."""


USUAL_FILES = {
    _MF_ELEMENT: {0xA3: 0x2F05, 0xA4: 0x2FE2, 0xA5: 0x2F00, 0xA6: 0x2F06, 0xA7: 0x2F08},
    _USIM: {0xA3: 0x6F07, 0xA4: 0x6F06, 0xA8: 0x6F38, 0xAD: 0x6F46, 0xAE: 0x6F56, 0xB2: 0x6F78, 0xB6: 0x6FB7},
    0xB4: {0xA5: 0x6F3E, 0xA6: 0x6F3F},
}
"""The identifiers of template files whose parameters a package may leave out, by the members' tags."""


@dataclass(slots=True)
class FileTree:
    """The files created so far; a directory is identified by its path from the MF."""

    _directories: set[Path] = field(default_factory=set)
    _files: set[Path] = field(default_factory=set)
    _records: dict[Path, int] = field(default_factory=dict)
    """The record counts of linear files, if known."""
    _application: Path = MF
    contents: dict[Path, CreatedFile] = field(default_factory=dict)
    """Elementary files with content, by path."""
    applications: dict[bytes, Path] = field(default_factory=dict)
    """ADFs by their AID."""
    _named_pins: set[int] = field(default_factory=set)
    """Key references that directories name."""

    def add_template(self, element: Tlv) -> None:
        """Create the files of a file-system element; files that only its template describes are not checked.

        Raises:
            MalformedError: a file cannot be created.
        """
        current = self._application if element.tag in _WITHOUT_DIRECTORY else None
        top = current
        usual = USUAL_FILES.get(element.tag, {})
        # After header and template, the directory and its content follow in the template's order.
        for entry in element.children()[2:]:
            parts = entry.children()
            if any(part.tag == _DO_NOT_CREATE for part in parts):
                continue
            fcp = next((part for part in parts if part.tag == _FCP_OF_A_TEMPLATE), None)
            if current is None or top is None:
                top = current = self._create_top(element.tag, fcp)
            elif fcp is not None and fcp.find(_PINS) is not None:
                current = self._create_directory(top, fcp)
            else:
                path = self._create_file(current, fcp, template=True, usual=usual.get(entry.tag))
                self._fill(path, fcp, filled(parts))

    def manage(self, commands: Tlv) -> None:
        """Carry out one FileManagement.

        Raises:
            MalformedError: a path leads to no directory, or a file cannot be created.
        """
        current, path, fcp = MF, None, None
        parts: list[Tlv] = []
        for command in commands.children():
            if command.tag in (_OFFSET_IN_A_COMMAND, _CONTENT_IN_A_COMMAND):
                parts.append(command)
                continue
            self._fill(path, fcp, filled(parts))
            path, parts = None, []
            if command.tag == _FILE_PATH:
                current = self._found(command.value)
            elif command.tag == _FCP_OF_A_COMMAND:
                descriptor = command.find(_DESCRIPTOR)
                if descriptor is None or not descriptor.value:
                    raise MalformedError("a file has no descriptor")
                if descriptor.value[0] & _DIRECTORY == _DIRECTORY and command.find(_PINS) is not None:
                    current = self._create_directory(current, command)
                else:
                    path, fcp = self._create_file(current, command, template=False), command
        self._fill(path, fcp, filled(parts))

    @property
    def directories(self) -> AbstractSet[Path]:
        """Paths of the directories, ADFs by their temporary identifier."""
        return self._directories

    def check_pins(self, defined: set[int]) -> None:
        """Check that each PIN that a directory names is defined.

        Raises:
            MalformedError: a directory names a PIN that is not defined.
        """
        missing = self._named_pins - defined
        if missing:
            raise MalformedError(f"a directory names PIN {min(missing):02X}, which is not defined")

    def _create_top(self, tag: int, fcp: Tlv | None) -> Path:
        identifier = fcp.find(_IDENTIFIER) if fcp is not None else None
        told = None if identifier is None else int.from_bytes(identifier.value, "big")
        if tag == _MF_ELEMENT:
            path = MF
        elif tag in _APPLICATIONS:
            if told is None:
                raise MalformedError("an application has no temporary identifier")
            path = self._application = (*MF, told)
            name = fcp.find(_NAME) if fcp is not None else None
            if name is not None:
                self.applications[name.value] = path
        elif tag in _BELOW_MF:
            path = (*MF, told or _BELOW_MF[tag])
        else:
            path = (*self._application, told or _BELOW_ADF.get(tag) or 0)
        if path in self._directories:
            raise MalformedError(f"directory {_shown(path)} already exists")
        self._directories.add(path)
        self._note_pins(fcp)
        return path

    def _create_directory(self, parent: Path, fcp: Tlv) -> Path:
        identifier = fcp.find(_IDENTIFIER)
        if identifier is None:  # a directory of the template, whose identifier is unknown here
            return parent
        path = (*parent, int.from_bytes(identifier.value, "big"))
        self._add(path)
        self._directories.add(path)
        self._check_rule(parent, fcp)
        self._note_pins(fcp)
        return path

    def _create_file(
        self, directory: Path, fcp: Tlv | None, *, template: bool, usual: int | None = None
    ) -> Path | None:
        """Create a file and return its path; None for a file of an unknown template."""
        if fcp is None:
            return None if usual is None else (*directory, usual)
        identifier, size = fcp.find(_IDENTIFIER), fcp.find(_SIZE)
        if not template and (identifier is None or (size is None and fcp.find(_LINK) is None)):
            raise MalformedError("a file has no identifier or no size")
        if identifier is None:
            return None if usual is None else (*directory, usual)
        path = (*directory, int.from_bytes(identifier.value, "big"))
        self._add(path)
        descriptor = fcp.find(_DESCRIPTOR)
        if size is not None and descriptor is not None and len(descriptor.value) >= 4:
            length = int.from_bytes(descriptor.value[2:4], "big")
            whole = int.from_bytes(size.value, "big")
            if not length or whole % length:
                raise MalformedError(f"file {_shown(path)} does not have a whole number of records")
            self._records[path] = whole // length
        self._check_rule(directory, fcp)
        return path

    def _fill(self, path: Path | None, fcp: Tlv | None, content: bytes) -> None:
        if path is None:
            return
        size, descriptor, rule, short = (
            None if fcp is None else fcp.find(tag) for tag in (_SIZE, _DESCRIPTOR, _RULE, _SHORT)
        )
        length = None
        if descriptor is not None and len(descriptor.value) >= 4:
            length = int.from_bytes(descriptor.value[2:4], "big") or None
        whole = min(int.from_bytes(size.value, "big"), LARGEST_FILE) if size is not None else len(content)
        if content or size is not None:
            self.contents[path] = CreatedFile(
                content=content.ljust(whole, b"\xff"),
                record_length=length,
                rule=rule.value if rule is not None else b"",
                short_identifier=short.value[0] >> 3 if short is not None and short.value else None,
            )

    def _add(self, path: Path) -> None:
        if path in self._files or path in self._directories:
            raise MalformedError(f"file {_shown(path)} already exists")
        self._files.add(path)

    def _check_rule(self, directory: Path, fcp: Tlv) -> None:
        """Check that the EF.ARR here or in a directory above contains the record of the access rule."""
        rule = fcp.find(_RULE)
        if rule is None or len(rule.value) != 3:
            return
        arr, record = int.from_bytes(rule.value[:2], "big"), rule.value[2]
        above = (directory[:depth] for depth in range(len(directory), 0, -1))
        found = next((records for each in above if (records := self._records.get((*each, arr)))), None)
        # The EF.ARR may be unknown: a template's files follow its order, in which EF.ARR is rarely first.
        if found is not None and not 1 <= record <= found:
            raise MalformedError(f"record {record} of access rules {arr:04X} does not exist")

    def _note_pins(self, fcp: Tlv | None) -> None:
        pins = fcp.find(_PINS) if fcp is not None else None
        self._named_pins |= set(pins.value) if pins is not None else set()

    def _found(self, path: bytes) -> Path:
        if len(path) % 2 or len(path) > _LONGEST_PATH:
            raise MalformedError("a path must have two bytes for each step, and at most four steps")
        steps = (int.from_bytes(path[at : at + 2], "big") for at in range(0, len(path), 2))
        found = (*MF, *(step for step in steps if step != MF[0]))
        if found not in self._directories:
            raise MalformedError(f"there is no directory {_shown(found)}")
        return found


def _shown(path: Path) -> str:
    return "/".join(f"{step:04X}" for step in path)


def filled(parts: Iterable[Tlv]) -> bytes:
    """Return a file's content, joined from its pieces; an offset skips bytes, which read as FF.

    Raises:
        MalformedError: an offset is beyond the end of the largest possible file.
    """
    content = b""
    for part in parts:
        if part.tag in (_OFFSET, _OFFSET_IN_A_COMMAND):
            skipped = int.from_bytes(part.value, "big")
            if len(content) + skipped > LARGEST_FILE:
                raise MalformedError("an offset is beyond the end of the largest possible file")
            content += b"\xff" * skipped
        elif part.tag in (_CONTENT, _CONTENT_IN_A_COMMAND):
            content += part.value
    return content
