"""The selection on a channel, and the reading of files (ETSI TS 102 221, 8.4 and 11.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lpad.codec.asn1 import tlv
from lpad.simulator.euicc.chip.status_word import Refusal, StatusWord
from lpad.simulator.euicc.os.profile_files import USIM
from lpad.simulator.profile_package.file_tree import MF as MF_PATH

if TYPE_CHECKING:
    from lpad.simulator.euicc.os.profile_files import ProfileFiles
    from lpad.simulator.profile_package.file_tree import CreatedFile, Path

MF = 0x3F00
_CURRENT_ADF = 0x7FFF
_SHORT_IDENTIFIERS = {
    0x2FE2: 0x02, 0x2F00: 0x1E, 0x2F05: 0x05, 0x2F06: 0x06, 0x2F08: 0x08,
    0x6FB7: 0x01, 0x6FAD: 0x03, 0x6F38: 0x04, 0x6F56: 0x05,
    0x6F78: 0x06, 0x6F07: 0x07, 0x6F31: 0x12, 0x6F7E: 0x0B,
}  # fmt: skip
"""The default SFIs of files (TS 102 221, 13; 3GPP TS 31.102, annex H)."""
_ABSOLUTE, _WITH_SHORT_IDENTIFIER = 0x04, 0xF8
_SHAREABLE_TRANSPARENT, _SHAREABLE_LINEAR, _CODED = 0x41, 0x42, 0x21
_DIRECTORY = bytes([0x78, _CODED])
_OPERATIONAL = b"\x05"
_CHARACTERISTICS = bytes.fromhex("800171")
"""Whether the clock may be stopped, and the supply voltages (11.1.1.4.6.1)."""
_PINS = bytes.fromhex("900140830101830181")
"""PIN status: neither PIN1 nor PIN2 is needed (11.1.1.4.10)."""


@dataclass(slots=True)
class FileSystem:
    """The selected directory, file and application on one logical channel."""

    folder: Path = MF_PATH
    file: Path | None = None
    application: Path | None = None

    def select_identifier(self, identifier: int, files: ProfileFiles | None) -> bytes:
        """Select a file by its identifier and return its control parameters.

        Raises:
            Refusal: no file with this identifier can be selected from here.
        """
        if identifier == MF:
            self.folder, self.file = MF_PATH, None
            return self.parameters(files)
        if files is None:
            raise Refusal(StatusWord.NOT_FOUND, "no profile is enabled")
        if identifier == _CURRENT_ADF:
            self._enter_application(self.application or files.application(USIM))
            return self.parameters(files)
        above = self.folder[:-1]
        for path in ((*self.folder, identifier), (*above, identifier), above):
            if path in files.directories and path[-1:] == (identifier,):
                self.folder, self.file = path, None
                return self.parameters(files)
        path = (*self.folder, identifier)
        if path not in files.files:
            raise Refusal(StatusWord.NOT_FOUND, f"no file {identifier:04X} here")
        self.file = path
        return self.parameters(files)

    def select_path(self, path: bytes, files: ProfileFiles | None, *, from_here: bool = False) -> bytes:
        """Select a file by its path from MF, current directory or application (7FFF); return its parameters.

        Raises:
            Refusal: a step of the path does not exist.
        """
        if not path or len(path) % 2:
            raise Refusal(StatusWord.WRONG_LENGTH, "a path must have two bytes for each step")
        before = self.folder, self.file
        if not from_here and path[:2] != _CURRENT_ADF.to_bytes(2, "big"):
            self.folder = MF_PATH
        try:
            for step in range(0, len(path), 2):
                parameters = self.select_identifier(int.from_bytes(path[step : step + 2], "big"), files)
        except Refusal:
            self.folder, self.file = before
            raise
        return parameters

    def select_application(self, aid: bytes, files: ProfileFiles | None) -> bytes | None:
        """Select an application by the start of its AID; return its parameters, or None if it is missing."""
        place = files.application(aid) if files is not None else None
        if place is None:
            return None
        self._enter_application(place)
        return self.parameters(files)

    def parameters(self, files: ProfileFiles | None) -> bytes:
        """Return the control parameters (62) of the selected file."""
        if self.file is None or files is None:
            return self._directory_parameters(files)
        file = files.files[self.file]
        if file.record_length is None:
            descriptor = bytes([_SHAREABLE_TRANSPARENT, _CODED])
        else:
            count = len(file.content) // file.record_length
            descriptor = (
                bytes([_SHAREABLE_LINEAR, _CODED]) + file.record_length.to_bytes(2, "big") + bytes([count])
            )
        short = file.short_identifier or _SHORT_IDENTIFIERS.get(self.file[-1])
        return tlv.encode(
            0x62,
            tlv.encode(0x82, descriptor),
            tlv.encode(0x83, self.file[-1].to_bytes(2, "big")),
            tlv.encode(0x8A, _OPERATIONAL),
            tlv.encode(0x8B, file.rule) if len(file.rule) == 3 else b"",
            tlv.encode(0x80, len(file.content).to_bytes(2, "big")),
            tlv.encode(0x88, bytes([short << 3])) if short is not None else b"",
        )

    def read_binary(self, p1: int, p2: int, files: ProfileFiles | None) -> bytes:
        """Return a transparent file's content from the offset on.

        Raises:
            Refusal: no transparent file is selected, or the offset is beyond the file's end.
        """
        offset = (p1 & 0x7F) << 8 | p2
        if p1 & 0x80:
            self.file, offset = self._by_short_identifier(p1 & 0x1F, files), p2
        file = self._current(files)
        if file.record_length is not None:
            raise Refusal(StatusWord.OTHER_FILE_STRUCTURE, "the file has records")
        if offset >= len(file.content):
            raise Refusal(StatusWord.WRONG_OFFSET, f"the file has {len(file.content)} bytes")
        return file.content[offset:]

    def read_record(self, number: int, p2: int, files: ProfileFiles | None) -> bytes:
        """Return a record by its number from 1.

        Raises:
            Refusal: no file with records is selected, the record is missing, or P2 announces no number.
        """
        if p2 & ~_WITH_SHORT_IDENTIFIER != _ABSOLUTE:
            raise Refusal(StatusWord.WRONG_P1_P2, "a record must be addressed by its number")
        if p2 & _WITH_SHORT_IDENTIFIER:
            self.file = self._by_short_identifier(p2 >> 3, files)
        file = self._current(files)
        if file.record_length is None:
            raise Refusal(StatusWord.OTHER_FILE_STRUCTURE, "the file has no records")
        record = file.content[(number - 1) * file.record_length :][: file.record_length] if number else b""
        if not record:
            raise Refusal(StatusWord.RECORD_NOT_FOUND, f"the file has no record {number}")
        return record

    def _enter_application(self, place: Path | None) -> None:
        if place is None:
            raise Refusal(StatusWord.NOT_FOUND, "the profile has no USIM")
        self.folder, self.file, self.application = place, None, place

    def _directory_parameters(self, files: ProfileFiles | None) -> bytes:
        here = self.folder
        names = files.applications.items() if files is not None else ()
        name = next((aid for aid, path in names if path == here), None)
        identifier = _CURRENT_ADF if name is not None else here[-1]
        return tlv.encode(
            0x62,
            tlv.encode(0x82, _DIRECTORY),
            tlv.encode(0x83, identifier.to_bytes(2, "big")),
            tlv.encode(0x84, name) if name is not None else b"",
            tlv.encode(0xA5, _CHARACTERISTICS),
            tlv.encode(0x8A, _OPERATIONAL),
            tlv.encode(0xC6, _PINS),
        )

    def _by_short_identifier(self, short: int, files: ProfileFiles | None) -> Path:
        for path, file in files.files.items() if files is not None else ():
            own = file.short_identifier or _SHORT_IDENTIFIERS.get(path[-1])
            if path[:-1] == self.folder and own == short:
                return path
        raise Refusal(StatusWord.NOT_FOUND, "no file has this short identifier")

    def _current(self, files: ProfileFiles | None) -> CreatedFile:
        if self.file is None:
            raise Refusal(StatusWord.NO_FILE_SELECTED, "no file is selected")
        if files is None or self.file not in files.files:
            raise Refusal(StatusWord.NOT_FOUND, "the profile of the selected file is no longer enabled")
        return files.files[self.file]
