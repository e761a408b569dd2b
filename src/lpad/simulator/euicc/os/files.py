"""The few files of the enabled profile that modems read first (ETSI TS 102 221, 11.1; 3GPP TS 31.102)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lpad.base.identifiers import swap_nibbles
from lpad.codec.asn1 import tlv
from lpad.simulator.euicc.chip.status_word import Refusal, StatusWord

if TYPE_CHECKING:
    from lpad.simulator.euicc.chip.state import StoredProfile

MF = 0x3F00
ADF_USIM = 0x7FFF
EF_ICCID = 0x2FE2
EF_IMSI = 0x6F07
_USIM = bytes.fromhex("A0000000871002")
_FOLDERS = frozenset({MF, ADF_USIM})
_PARENTS = {EF_ICCID: MF, EF_IMSI: ADF_USIM, ADF_USIM: MF}
_SHORT_IDENTIFIERS = {(MF, 2): EF_ICCID, (ADF_USIM, 7): EF_IMSI}
_CURRENT_ADF = 0x7FFF


@dataclass(slots=True)
class FileSystem:
    """What is selected on one channel."""

    folder: int = MF
    file: int | None = None

    def select_identifier(self, file: int, profile: StoredProfile | None) -> bytes:
        """Select a file by its identifier and return its control parameters.

        Raises:
            Refusal: there is no such file here.
        """
        if file in _FOLDERS:
            if file == ADF_USIM and profile is None:
                raise Refusal(StatusWord.NOT_FOUND, "no profile is enabled")
            self.folder, self.file = file, None
        else:
            _content(file, self.folder, profile)
            self.file = file
        return self.parameters(profile)

    def select_path(self, path: bytes, profile: StoredProfile | None) -> bytes:
        """Select along a path from the MF, two bytes a step; 7FFF stands for the USIM.

        Raises:
            Refusal: a step leads nowhere.
        """
        if not path or len(path) % 2:
            raise Refusal(StatusWord.WRONG_LENGTH, "a path has two bytes a step")
        before = self.folder, self.file
        if path[:2] != _CURRENT_ADF.to_bytes(2, "big"):
            self.folder = MF
        try:
            for step in range(0, len(path), 2):
                parameters = self.select_identifier(int.from_bytes(path[step : step + 2], "big"), profile)
        except Refusal:
            self.folder, self.file = before
            raise
        return parameters

    def select_application(self, aid: bytes, profile: StoredProfile | None) -> bytes | None:
        """Select the USIM by the beginning of its AID; return None where that is another application's."""
        if profile is None or not aid.startswith(_USIM[: max(len(aid), 5)]):
            return None
        return self.select_identifier(ADF_USIM, profile)

    def parameters(self, profile: StoredProfile | None) -> bytes:
        """Return the control parameters (62) of what is selected."""
        if self.file is None:
            return tlv.encode(
                0x62,
                tlv.encode(0x82, bytes([0x78, 0x21])),
                tlv.encode(0x83, self.folder.to_bytes(2, "big")),
                tlv.encode(0x8A, b"\x05"),
            )
        size = len(_content(self.file, self.folder, profile))
        return tlv.encode(
            0x62,
            tlv.encode(0x82, bytes([0x41, 0x21])),
            tlv.encode(0x83, self.file.to_bytes(2, "big")),
            tlv.encode(0x8A, b"\x05"),
            tlv.encode(0x80, size.to_bytes(2, "big")),
        )

    def read_binary(self, p1: int, p2: int, profile: StoredProfile | None) -> bytes:
        """Return a file's content from the offset on.

        Raises:
            Refusal: no file is selected, or the offset lies beyond it.
        """
        file, offset = self.file, (p1 & 0x7F) << 8 | p2
        if p1 & 0x80:
            file, offset = _SHORT_IDENTIFIERS.get((self.folder, p1 & 0x1F)), p2
            if file is None:
                raise Refusal(StatusWord.NOT_FOUND, "no file has this short identifier")
        if file is None:
            raise Refusal(StatusWord.NO_FILE_SELECTED, "no file is selected")
        content = _content(file, self.folder, profile)
        if offset >= len(content):
            raise Refusal(StatusWord.WRONG_OFFSET, f"the file has {len(content)} bytes")
        return content[offset:]


def _content(file: int, folder: int, profile: StoredProfile | None) -> bytes:
    if profile is None or _PARENTS.get(file) != folder:
        raise Refusal(StatusWord.NOT_FOUND, f"no file {file:04X} here")
    if file == EF_ICCID:
        return profile.ef_iccid
    if profile.imsi is None:
        raise Refusal(StatusWord.NOT_FOUND, "the profile has no USIM")
    odd = len(profile.imsi) % 2
    digits = swap_nibbles(bytes.fromhex(("9" if odd else "1") + profile.imsi + ("" if odd else "f")))
    return (bytes([len(digits)]) + digits).ljust(9, b"\xff")
