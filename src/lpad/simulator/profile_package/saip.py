"""An unprotected profile package as a card reads it: a stream of profile elements (TCA "SAIP").

The stream has no outer element, and a piece can end anywhere. Therefore the stream is split into elements as
they become complete, and the first wrong element ends the installation with its status.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING

from lpad.base.errors import MalformedError
from lpad.base.identifiers import Iccid, swap_nibbles
from lpad.codec.asn1 import tlv
from lpad.simulator.profile_package.file_tree import FileTree, filled

if TYPE_CHECKING:
    from lpad.codec.asn1.tlv import Tlv

HEADER, GENERIC_FILES, PIN_CODES, PUK_CODES, AKA, NON_STANDARD, END = (
    0xA0,
    0xA1,
    0xA2,
    0xA3,
    0xA4,
    0xA9,
    0xAA,
)
MF, TELECOM, USIM, OPT_USIM = 0xB0, 0xB2, 0xB3, 0xB4

_KNOWN = frozenset({*range(0xA0, 0xAB), *range(0xB0, 0xBF), 0xBF1F, 0xBF20, 0xBF21})
_FILE_SYSTEM = frozenset({*range(0xB0, 0xBF), 0xBF1F})
_NEEDS_MF = frozenset({*range(0xB1, 0xBF), 0xBF1F, 0xBF20, 0xBF21})
_VERSIONS = frozenset({2, 3})
_TEST_KEY = bytes(range(14))
"""The beginning of a test profile's key [M], as in the TS.48 profiles."""
_TEST_ALGORITHM = 3


class PeStatus(IntEnum):
    """The result for a profile element (SAIP, PEStatus)."""

    OK = 0
    PE_NOT_SUPPORTED = 1
    MEMORY_FAILURE = 2
    BAD_VALUES = 3
    NOT_ENOUGH_MEMORY = 4
    INVALID_REQUEST_FORMAT = 5
    INVALID_PARAMETER = 6
    FEATURE_NOT_SUPPORTED = 10
    UNSUPPORTED_PROFILE_VERSION = 31


class ProfileElementError(MalformedError):
    """A profile element cannot be installed; `status` and `identification` go into the answer."""

    def __init__(self, sentence: str, *, status: PeStatus, identification: int | None = None) -> None:
        """Create the error with the refused element and the reason."""
        super().__init__(sentence)
        self.status = status
        self.identification = identification


@dataclass(frozen=True, slots=True)
class UnprotectedProfile:
    """The data that a card reads from a profile package."""

    header_iccid: Iccid
    name: str
    services: frozenset[int]
    """Tags of the services that the profile requires, 0x80 to 0x98."""
    ef_iccid: bytes | None = None
    """Content of EF.ICCID: 10 bytes, nibbles swapped."""
    ef_imsi: bytes | None = None
    gid1: bytes | None = None
    gid2: bytes | None = None
    keys: tuple[tuple[int, bytes], ...] = ()
    """Algorithm number and key of each akaParameter."""

    @property
    def imsi(self) -> str | None:
        """The IMSI, as digits; None if the profile has none."""
        if not self.ef_imsi or len(self.ef_imsi) < 2:
            return None
        return swap_nibbles(self.ef_imsi[1 : 1 + self.ef_imsi[0]]).hex()[1:].rstrip("f")

    @property
    def has_test_keys(self) -> bool:
        """Whether all keys are permitted in a test profile."""
        return all(algorithm == _TEST_ALGORITHM or key.startswith(_TEST_KEY) for algorithm, key in self.keys)


@dataclass(slots=True)
class _Findings:
    header: Tlv | None = None
    ef_iccid: bytes | None = None
    ef_imsi: bytes | None = None
    gid1: bytes | None = None
    gid2: bytes | None = None
    keys: list[tuple[int, bytes]] = field(default_factory=list)
    seen: set[int] = field(default_factory=set)
    identifications: set[int] = field(default_factory=set)
    files: FileTree = field(default_factory=FileTree)
    pins: set[int] = field(default_factory=set)


class ProfileStream:
    """A reader of profile elements that arrive in pieces."""

    def __init__(self, *, unsupported_services: frozenset[int] = frozenset(), strict: bool = True) -> None:
        """Create a reader at the start of a package.

        Args:
            unsupported_services: tags of the mandatory services that this card lacks.
            strict: whether files in missing directories, access rules in no EF.ARR, and undefined PINs are
                refused.
        """
        self._strict = strict
        self._unsupported = unsupported_services
        self._pending = b""
        self._found = _Findings()

    @property
    def complete(self) -> bool:
        """Whether the `end` element has been read."""
        return END in self._found.seen

    def feed(self, piece: bytes) -> None:
        """Process the next piece, and install the elements that it completes.

        Raises:
            ProfileElementError: an element is wrong or out of order.
        """
        self._pending += piece
        while self._pending:
            if self.complete:
                raise ProfileElementError(
                    "something follows the end element", status=PeStatus.INVALID_REQUEST_FORMAT
                )
            element = _first_whole(self._pending)
            if element is None:
                return
            self._pending = self._pending[len(element.raw) :]
            self._install(element)

    def finish(self) -> UnprotectedProfile:
        """Return the data that was read.

        Raises:
            ProfileElementError: the `end` element is missing.
        """
        found = self._found
        if not self.complete or found.header is None:
            raise ProfileElementError("the end element is missing", status=PeStatus.INVALID_REQUEST_FORMAT)
        name, services = found.header.find(0x82), found.header.find(0xA5)
        return UnprotectedProfile(
            header_iccid=_header_iccid(found.header),
            name=name.value.decode(errors="replace") if name else "",
            services=frozenset(service.tag for service in services.children()) if services else frozenset(),
            ef_iccid=found.ef_iccid,
            ef_imsi=found.ef_imsi,
            gid1=found.gid1,
            gid2=found.gid2,
            keys=tuple(found.keys),
        )

    def _install(self, element: Tlv) -> None:
        identification = None
        try:
            if element.tag != HEADER:
                mandated, identification = _element_header(element)
                self._check_order(element, identification, mandated=mandated)
            self._look(element)
            if self._strict:
                self._check_files(element, identification)
        except ProfileElementError:
            raise
        except MalformedError as error:
            raise ProfileElementError(
                f"profile element {element.tag:02X}: {error.sentence}",
                status=PeStatus.INVALID_REQUEST_FORMAT,
                identification=identification,
            ) from error
        self._found.seen.add(element.tag)

    def _check_order(self, element: Tlv, identification: int, *, mandated: bool) -> None:
        wrong = None
        if HEADER not in self._found.seen:
            wrong = "comes before the header", PeStatus.INVALID_REQUEST_FORMAT
        elif element.tag in _NEEDS_MF and MF not in self._found.seen:
            wrong = "comes before the master file", PeStatus.INVALID_REQUEST_FORMAT
        elif element.tag not in _KNOWN or (element.tag == NON_STANDARD and mandated):
            wrong = "is unknown here", PeStatus.PE_NOT_SUPPORTED
        elif identification in self._found.identifications:
            wrong = "repeats an identification", PeStatus.BAD_VALUES
        if wrong:
            raise ProfileElementError(
                f"profile element {element.tag:02X} {wrong[0]}",
                status=wrong[1],
                identification=identification,
            )
        self._found.identifications.add(identification)

    def _look(self, element: Tlv) -> None:
        found = self._found
        if element.tag == HEADER:
            self._check_header(element)
            found.header = element
        elif element.tag == MF:
            found.ef_iccid = filled(element.get(0xA4).children())
        elif element.tag == USIM:
            found.ef_imsi = filled(element.get(0xA3).children())
        elif element.tag == OPT_USIM:
            gid1, gid2 = element.find(0xA5), element.find(0xA6)
            found.gid1 = _group_identifier(gid1)
            found.gid2 = _group_identifier(gid2)
        elif element.tag == AKA:
            found.keys += _aka_keys(element)

    def _check_files(self, element: Tlv, identification: int | None) -> None:
        """Create the element's files, like a card that follows the specification strictly."""
        found = self._found
        try:
            if element.tag in _FILE_SYSTEM:
                found.files.add_template(element)
            elif element.tag == GENERIC_FILES:
                for commands in element.get(0xA1).children():
                    found.files.manage(commands)
            elif element.tag == PIN_CODES:
                found.pins |= _defined_pins(element)
            elif element.tag == END:
                found.files.check_pins(found.pins)
        except MalformedError as error:
            raise ProfileElementError(
                f"profile element {element.tag:02X}: {error.sentence}",
                status=PeStatus.INVALID_PARAMETER,
                identification=identification,
            ) from error

    def _check_header(self, element: Tlv) -> None:
        if HEADER in self._found.seen:
            raise ProfileElementError("there is a second header", status=PeStatus.INVALID_REQUEST_FORMAT)
        major = element.get(0x80).value
        if int.from_bytes(major, "big") not in _VERSIONS:
            raise ProfileElementError(
                f"profile package version {major.hex()} is unknown",
                status=PeStatus.UNSUPPORTED_PROFILE_VERSION,
            )
        _header_iccid(element)
        services = element.find(0xA5)
        for service in services.children() if services else ():
            if service.tag in self._unsupported:
                raise ProfileElementError(
                    f"the card does not support the required service {service.tag:02X}",
                    status=PeStatus.FEATURE_NOT_SUPPORTED,
                )


def _defined_pins(element: Tlv) -> set[int]:
    """Return the key references in PE-PINCodes; empty if the element shares those of another directory."""
    codes = element.get(0xA1).find(0xA0)
    if codes is None:
        return set()
    return {int.from_bytes(pin.get(0x80).value, "big") for pin in codes.children()}


def parse(package: bytes, *, unsupported_services: frozenset[int] = frozenset()) -> UnprotectedProfile:
    """Read a whole unprotected profile package.

    Raises:
        ProfileElementError: an element is wrong, out of order or missing.
    """
    stream = ProfileStream(unsupported_services=unsupported_services)
    stream.feed(package)
    return stream.finish()


def created_files(package: bytes) -> FileTree:
    """Return the files that a package creates; an unreadable element creates none."""
    files = FileTree()
    for element in tlv.parse_all(package):
        with suppress(MalformedError):
            if element.tag in _FILE_SYSTEM:
                files.add_template(element)
            elif element.tag == GENERIC_FILES:
                for commands in element.get(0xA1).children():
                    files.manage(commands)
    return files


def _first_whole(data: bytes) -> Tlv | None:
    """Return the first element, or None if more bytes are needed to complete it."""
    try:
        return tlv.parse_first(data)[0]
    except MalformedError as error:
        header = data[:8]
        if len(header) == 8 and not _can_grow(header):
            raise ProfileElementError(error.sentence, status=PeStatus.INVALID_REQUEST_FORMAT) from error
        return None


def _can_grow(header: bytes) -> bool:
    """Return whether the first eight bytes begin with a valid tag and length, so that more may follow."""
    length_at = 2 if header[0] & 0x1F == 0x1F else 1
    first = header[length_at]
    return header[0] & 0xE0 == 0xA0 and (first < 0x80 or 0x81 <= first <= 0x84)


def _element_header(element: Tlv) -> tuple[bool, int]:
    header = element.children()[0] if element.value else element
    if header.tag not in (0xA0, 0x30):
        raise MalformedError("its header is missing")
    return header.find(0x80) is not None, int.from_bytes(header.get(0x81).value, "big")


def _header_iccid(element: Tlv) -> Iccid:
    """Return the header's ICCID, whose digits, unlike elsewhere, are not swapped."""
    return Iccid.from_bytes(swap_nibbles(element.get(0x83).value))


def _group_identifier(file: Tlv | None) -> bytes | None:
    content = filled(file.children()).rstrip(b"\xff") if file else b""
    return content or None


def _aka_keys(element: Tlv) -> list[tuple[int, bytes]]:
    configuration = element.get(0xA1)
    if configuration.find(0xA1) is not None:  # a mapping to another NAA's parameters has no key
        configuration = configuration.get(0xA1)
    key = configuration.find(0x82)
    if key is None:
        return []
    return [(int.from_bytes(configuration.get(0x80).value, "big"), key.value)]
