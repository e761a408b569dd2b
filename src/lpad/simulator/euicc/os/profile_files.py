"""The enabled profile's files, as its package creates them (ETSI TS 102 221, 13; 3GPP TS 31.102, 4.2)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lpad.base.errors import MalformedError
from lpad.base.identifiers import swap_nibbles
from lpad.codec.asn1 import tlv
from lpad.simulator.profile_package.file_tree import MF, CreatedFile, FileTree
from lpad.simulator.profile_package.saip import created_files

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet

    from lpad.simulator.euicc.chip.nonvolatile_state import StoredProfile
    from lpad.simulator.profile_package.file_tree import Path

EF_DIR, EF_PL, EF_ICCID = 0x2F00, 0x2F05, 0x2FE2
EF_IMSI = 0x6F07
USIM = bytes.fromhex("A0000000871002")
_USUAL_USIM = (USIM + bytes.fromhex("FF49FF0589"), (*MF, 0x7FD0))
_ALWAYS_READ = bytes.fromhex("2F060A")

_OF_A_TEMPLATE = {
    (EF_PL,): b"\xff\xff",
    (0, 0x6F31): b"\x0a",
    (0, 0x6F73): bytes.fromhex("FFFFFFFFFFFFFFFFFFFF0000FF01"),
    (0, 0x6F7B): b"\xff" * 12,
    (0, 0x6F7E): bytes.fromhex("FFFFFFFFFFFFFF0000FF01"),
    (0, 0x6FAD): bytes.fromhex("00000002"),
    (0, 0x6FE3): bytes.fromhex("FFFFFFFFFFFFFFFFFFFFFFFFFFFFFF000001"),
}
"""Files that a modem reads first; the card creates those that a package lacks. 0 means the USIM."""


@dataclass(frozen=True, slots=True)
class ProfileFiles:
    """Directories and files by path from the MF; applications by name."""

    directories: AbstractSet[Path]
    files: Mapping[Path, CreatedFile]
    applications: Mapping[bytes, Path]

    @classmethod
    def of(cls, profile: StoredProfile, package: bytes) -> ProfileFiles:
        """Return the files of a profile's package; missing mandatory files get the card's own content."""
        try:
            tree = created_files(package)
        except MalformedError:
            tree = FileTree()
        applications = dict(tree.applications)
        if profile.imsi is not None and not any(name.startswith(USIM) for name in applications):
            applications |= (_USUAL_USIM,)
        files = {(*MF, EF_ICCID): CreatedFile(profile.ef_iccid), (*MF, EF_DIR): _directory_of(applications)}
        for name, place in applications.items():
            if name.startswith(USIM) and profile.imsi is not None:
                files[*place, EF_IMSI] = CreatedFile(_imsi(profile.imsi))
        for path, content in _OF_A_TEMPLATE.items():
            for place in applications.values() if len(path) > 1 else (MF,):
                files[*place, path[-1]] = CreatedFile(content, rule=_ALWAYS_READ)
        files |= tree.contents
        files[*MF, EF_ICCID] = replace(files[*MF, EF_ICCID], content=profile.ef_iccid)
        return cls({MF, *applications.values(), *tree.directories}, files, applications)

    def application(self, aid: bytes) -> Path | None:
        """Return the ADF of the application whose AID begins with the first 7 bytes of `aid`, or None."""
        if len(aid) < 5:
            return None
        wanted = aid[: len(USIM)]
        return next((path for name, path in self.applications.items() if name.startswith(wanted)), None)


def _directory_of(applications: Mapping[bytes, Path]) -> CreatedFile:
    """Return an EF.DIR with one record for each application (ETSI TS 102 221, 13.1)."""
    records = [tlv.encode(0x61, tlv.encode(0x4F, name)) for name in applications]
    length = max(map(len, records), default=0x20)
    return CreatedFile(b"".join(each.ljust(length, b"\xff") for each in records), length, _ALWAYS_READ)


def _imsi(imsi: str) -> bytes:
    odd = len(imsi) % 2
    digits = swap_nibbles(bytes.fromhex(("9" if odd else "1") + imsi + ("" if odd else "f")))
    return (bytes([len(digits)]) + digits).ljust(9, b"\xff")
