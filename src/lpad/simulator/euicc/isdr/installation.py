"""The loading of a bound profile package, segment by segment (SGP.22 v2.5, 2.5.5 and 5.7.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lpad.base.errors import MalformedError
from lpad.codec.asn1 import tlv
from lpad.simulator.euicc.chip import nonvolatile_state
from lpad.simulator.euicc.isdr.installation_checks import (
    Command,
    InstallationError,
    Reason,
    check_metadata,
    check_package,
)
from lpad.simulator.euicc.isdr.notifications import Event
from lpad.simulator.euicc.isdr.rules_authorisation_check import bits_of
from lpad.simulator.euicc.isdr.secure_channel_opening import open_secure_channel
from lpad.simulator.profile_package.bsp import (
    CONFIGURE_ISDP,
    LOAD_PROFILE_ELEMENTS,
    STORE_METADATA,
    Bsp,
    BspKeys,
    BspSecurityError,
    BspStructureError,
)
from lpad.simulator.profile_package.saip import PeStatus, ProfileElementError, ProfileStream

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.simulator.euicc.chip.euicc_contents import Chip
    from lpad.simulator.euicc.isdr.notifications import Notifications
    from lpad.simulator.euicc.isdr.session import Session, Sessions

PACKAGE = 0xBF36
SEGMENT_TAGS = frozenset({0xA0, 0xA1, 0xA2, 0xA3, CONFIGURE_ISDP, STORE_METADATA, LOAD_PROFILE_ELEMENTS})
_FIRST_87, _ALL_88, _SECOND_87, _ALL_86 = 0xA0, 0xA1, 0xA2, 0xA3
# The permitted order of elements in the package (SGP.22 v2.5, 2.5.4).
_NEXT = {
    PACKAGE: (_FIRST_87,),
    _FIRST_87: (_ALL_88,),
    _ALL_88: (_SECOND_87, _ALL_86),
    _SECOND_87: (_ALL_86,),
    _ALL_86: (),
}
_INNER = {
    _FIRST_87: CONFIGURE_ISDP,
    _ALL_88: STORE_METADATA,
    _SECOND_87: CONFIGURE_ISDP,
    _ALL_86: LOAD_PROFILE_ELEMENTS,
}
_COMMANDS = {
    PACKAGE: Command.INITIALISE_SECURE_CHANNEL,
    _FIRST_87: Command.CONFIGURE_ISDP,
    _ALL_88: Command.STORE_METADATA,
    _SECOND_87: Command.REPLACE_SESSION_KEYS,
    _ALL_86: Command.LOAD_PROFILE_ELEMENTS,
}
# The elements whose header shares a segment with the first element inside; other headers have their own.
_WITH_FIRST = frozenset({_FIRST_87, _SECOND_87})
_SUCCESS = bytes.fromhex("3007A0053003800100")
_AID = bytes.fromhex("A0000005591010FFFFFFFF8900")
_FIRST_INSTANCE = 0x10
_LONGEST_PROPRIETARY = 128


class Installation:
    """The installation of one profile, from its first segment to its ProfileInstallationResult."""

    def __init__(
        self, chip: Chip, notifications: Notifications, sessions: Sessions, session: Session
    ) -> None:
        """Create the installation for a session whose download is prepared."""
        assert session.server is not None, "prepared"
        assert session.signer is not None, "prepared"
        self._chip = chip
        self._notifications = notifications
        self._sessions = sessions
        self._session = session
        self._record = nonvolatile_state.Installation(
            transaction_id=session.transaction_id,
            address=session.address,
            server=session.server.oid,
            signing_key_id=session.signer.key_id,
        )
        self._finish: dict[int, Callable[[bytes], None]] = {
            _FIRST_87: self._configure_isdp,
            _ALL_88: self._store_metadata,
            _SECOND_87: self._replace_session_keys,
            _ALL_86: self._complete,
        }
        self._group = PACKAGE
        self._package_left = 0
        self._group_left = 0
        self._plaintext = b""
        self._bsp: Bsp | None = None
        self._configuration = b""
        self._metadata = b""
        self._values: dict[str, Any] = {}
        self._stream = ProfileStream(
            unsupported_services=frozenset(chip.behaviour.unsupported_services),
            strict=chip.behaviour.strict_files,
        )
        self.running = True

    def segment(self, data: bytes) -> bytes:
        """Process a segment; return ProfileInstallationResult if the installation ends, else no bytes."""
        try:
            if self._bsp is None:
                self._start(data)
            else:
                self._take(data)
        except InstallationError as error:
            return self._failed(error)
        except MalformedError as error:
            return self._failed(self._structure(error.sentence))
        return self._installed() if not self.running else b""

    def abandon(self, *, with_result: bool) -> None:
        """Remove the partial installation; `with_result` records that it was interrupted (reason 11)."""
        self.running = False
        if self._chip.state.installation is not None:
            if with_result:
                record_interruption(self._chip, self._notifications)
            self._chip.state.installation = None
            self._chip.commit()

    def _start(self, data: bytes) -> None:
        header, length = _header(data, PACKAGE)
        first = data[header:]
        self._package_left = length - len(first)
        if self._package_left < 0:
            raise self._structure("the package is shorter than its first element")
        keys = open_secure_channel(self._chip, self._session, first)
        self._bsp = Bsp(keys, largest=self._chip.behaviour.largest_segment)
        self._sessions.loading(self._session)

    def _take(self, data: bytes) -> None:
        if self._group_left == 0:
            self._open_group(data)
        else:
            self._take_element(data)
        if self._group_left == 0:
            plaintext, self._plaintext = self._plaintext, b""
            self._finish[self._group](plaintext)

    def _open_group(self, data: bytes) -> None:
        expected = _NEXT[self._group]
        before, self._group = self._group, next((tag for tag in expected if data[0] == tag), expected[0])
        if data[0] not in expected:
            raise self._structure(f"element {data[0]:02X} after {before:02X}")
        header, length = _header(data, self._group)
        self._package_left -= header + length
        self._group_left = length
        last = self._group == _ALL_86
        if length == 0 or self._package_left < 0 or (last and self._package_left):
            raise self._structure(f"length {length} of element {self._group:02X} does not fit")
        if self._group in _WITH_FIRST:
            self._take_element(data[header:])
        elif len(data) > header:
            raise self._structure(f"element {self._group:02X} contains more than its header")

    def _take_element(self, data: bytes) -> None:
        assert self._bsp is not None, "the secure channel is open"
        if data[:1] != bytes([_INNER[self._group]]):
            raise self._structure(f"element {data[:1].hex()} inside {self._group:02X}")
        self._group_left -= len(data)
        if self._group_left < 0:
            raise self._structure(f"the data exceed element {self._group:02X}")
        try:
            piece = self._bsp.unprotect(data)
        except BspStructureError as error:
            raise self._structure(error.sentence) from error
        except BspSecurityError as error:
            raise self._error(Reason.SECURITY_ERROR, error.sentence) from error
        self._plaintext += piece
        if self._group == _ALL_86:
            self._load_profile_elements(piece)

    def _configure_isdp(self, plaintext: bytes) -> None:
        self._decoded("ConfigureISDPRequest", plaintext)
        proprietary = tlv.parse(plaintext).find(0xB8)
        if proprietary is not None and len(proprietary.value) > _LONGEST_PROPRIETARY:
            raise self._error(Reason.INCORRECT_INPUT, "the proprietary data are too long")
        if self._chip.free_memory < self._chip.memory_for(0):
            raise self._error(Reason.INSUFFICIENT_MEMORY, "there is too little memory for another instance")
        self._configuration = plaintext
        self._chip.state.installation = self._record
        self._chip.commit()  # from here on, a power loss is reported as an interruption

    def _store_metadata(self, plaintext: bytes) -> None:
        self._values = self._decoded("StoreMetadataRequest", plaintext)
        check_metadata(self._chip, self._values)
        self._metadata = plaintext
        self._record.iccid = self._values["iccid"]
        self._record.command = Command.LOAD_PROFILE_ELEMENTS
        self._chip.commit()

    def _replace_session_keys(self, plaintext: bytes) -> None:
        assert self._bsp is not None, "the secure channel is open"
        keys = self._decoded("ReplaceSessionKeysRequest", plaintext)
        self._bsp.replace_session_keys(
            BspKeys(keys["initialMacChainingValue"], keys["ppkEnc"], keys["ppkCmac"])
        )

    def _load_profile_elements(self, piece: bytes) -> None:
        if self._chip.memory_for(len(self._plaintext)) > self._chip.free_memory:
            full = ProfileElementError("the card's memory is full", status=PeStatus.NOT_ENOUGH_MEMORY)
            raise self._element_error(full)
        try:
            self._stream.feed(piece)
        except ProfileElementError as error:
            raise self._element_error(error) from error

    def _complete(self, package: bytes) -> None:
        try:
            profile = self._stream.finish()
        except ProfileElementError as error:
            raise self._element_error(error) from error
        check_package(self._chip, self._values, profile)
        self.running = False
        self._chip.folder.write_package(self._values["iccid"], package)
        stored = nonvolatile_state.StoredProfile(
            iccid=self._values["iccid"],
            aid=self._next_aid(),
            metadata=self._metadata,
            configuration=self._configuration,
            profile_class=self._values["profileClass"],
            signing_key_id=self._record.signing_key_id,
            size=self._chip.memory_for(len(package)),
            pprs=sum(1 << bit for bit in bits_of(self._values.get("profilePolicyRules"))),
            imsi=profile.imsi,
        )
        self._chip.state.profiles.append(stored)

    def _next_aid(self) -> bytes:
        number = self._chip.state.next_isdp + _FIRST_INSTANCE
        self._chip.state.next_isdp += 1
        return _AID + number.to_bytes(2, "big") + b"\x00"

    def _installed(self) -> bytes:
        stored = self._chip.state.profiles[-1]
        final = ("successResult", {"aid": stored.aid, "simaResponse": _SUCCESS})
        result = self._notifications.record_result(self._record, final)
        self._notifications.record(Event.INSTALL, stored)
        self._end()
        return result

    def _failed(self, error: InstallationError) -> bytes:
        self.running = False
        final: dict[str, Any] = {"bppCommandId": int(error.command), "errorReason": int(error.reason)}
        if error.sima_response is not None:
            final["simaResponse"] = error.sima_response
        result = self._notifications.record_result(self._record, ("errorResult", final))
        self._end()
        return result

    def _end(self) -> None:
        self._chip.state.installation = None
        self._chip.commit()
        self._sessions.end()

    def _decoded(self, type_name: str, plaintext: bytes) -> dict[str, Any]:
        try:
            values = self._chip.schema.decode(type_name, plaintext)
        except MalformedError as error:
            raise self._error(Reason.INCORRECT_INPUT, error.sentence) from error
        assert isinstance(values, dict), "a SEQUENCE"
        return values

    def _error(self, reason: Reason, sentence: str) -> InstallationError:
        return InstallationError(sentence, reason, _COMMANDS[self._group])

    def _structure(self, sentence: str) -> InstallationError:
        return self._error(Reason.STRUCTURE_ERROR, sentence)

    def _element_error(self, error: ProfileElementError) -> InstallationError:
        reason = Reason.PE_PROCESSING_ERROR
        if error.status is PeStatus.NOT_ENOUGH_MEMORY:
            reason = Reason.INSUFFICIENT_MEMORY
        status: dict[str, Any] = {"status": int(error.status)}
        if error.identification is not None:
            status["identification"] = error.identification
        answer = {"peStatus": [status], "profileInstallationAborted": None}
        sima = self._chip.encode("EUICCResponse", answer)
        return InstallationError(error.sentence, reason, Command.LOAD_PROFILE_ELEMENTS, sima)


def record_interruption(chip: Chip, notifications: Notifications) -> None:
    """Record that the installation in the state was interrupted; the caller then deletes it and commits."""
    record = chip.state.installation
    assert record is not None, "an installation was under way"
    final = {"bppCommandId": record.command, "errorReason": int(Reason.INTERRUPTION)}
    notifications.record_result(record, ("errorResult", final))


def _header(data: bytes, tag: int) -> tuple[int, int]:
    """Return the size of the header (tag and length), and the content's length; the content follows."""
    tag_bytes = tlv.tag_bytes(tag)
    rest = data[len(tag_bytes) :]
    if not data.startswith(tag_bytes) or not rest:
        raise MalformedError(f"no element {tag:02X}")
    count = rest[0] & 0x7F if rest[0] & 0x80 else 0
    if len(rest) <= count or count > 3 or rest[0] == 0x80:
        raise MalformedError(f"element {tag:02X} has no length")
    length = int.from_bytes(rest[1 : 1 + count], "big") if count else rest[0]
    return len(tag_bytes) + 1 + count, length
