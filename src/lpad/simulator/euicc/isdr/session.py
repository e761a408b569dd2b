"""A remote provisioning session: challenge, server authentication, download preparation, cancelling."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum
from secrets import token_bytes
from typing import TYPE_CHECKING, Any

from lpad.base.errors import LpadError
from lpad.codec.asn1 import tlv
from lpad.simulator.euicc.isdr.certificate_checks import (
    CertificateError,
    Role,
    ServerCertificate,
    check_chain,
)
from lpad.simulator.euicc.isdr.one_time_keys import OneTimeKeys, public_point

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cryptography.hazmat.primitives.asymmetric import ec

    from lpad.codec.asn1.tlv import Tlv
    from lpad.simulator.euicc.chip.euicc_contents import Chip
    from lpad.simulator.euicc.chip.identity import Signer
    from lpad.simulator.euicc.isdr.euicc_information import Information

_POSTPONED, _TIMEOUT = 1, 2
_CANCEL_INVALID_TRANSACTION = 5
# Fields of ctxParams1 and of deviceInfo that version 2 knows.
_OLD_PARAMETERS = frozenset({0x80, 0xA1})
_OLD_DEVICE_INFO = frozenset({0x80, 0xA1, 0x82})


class Stage(Enum):
    """The stages of a session."""

    CHALLENGED = "challenge given"
    AUTHENTICATED = "server authenticated"
    PREPARED = "download prepared"
    LOADING = "profile being loaded"


class Fault(IntEnum):
    """AuthenticateErrorCode and DownloadErrorCode, which agree up to 4."""

    INVALID_CERTIFICATE = 1
    INVALID_SIGNATURE = 2
    UNSUPPORTED_CURVE = 3
    NO_SESSION = 4
    INVALID_OID = 5
    CHALLENGE_MISMATCH = 6
    UNKNOWN_CI = 7


_INVALID_TRANSACTION_ID = 5
"""The meaning of 5 in DownloadErrorCode differs from that in AuthenticateErrorCode."""


class SessionError(LpadError):
    """A check of the server failed; `code` goes into the answer."""

    kind = "simulated-session"

    def __init__(self, sentence: str, code: int) -> None:
        """Create the error with the failed check, for debugging, and its code."""
        super().__init__(sentence)
        self.code = code


@dataclass(slots=True)
class Session:
    """A session's data, which is lost without power."""

    challenge: bytes
    stage: Stage = Stage.CHALLENGED
    transaction_id: bytes = b""
    address: str = ""
    server: ServerCertificate | None = None
    signer: Signer | None = None
    signature1: bytes = b""
    """euiccSignature1 as TLV."""
    binding: ServerCertificate | None = None
    """CERT.DPpb."""
    one_time_key: ec.EllipticCurvePrivateKey | None = None


class Sessions:
    """The session of a card, which has at most one."""

    def __init__(self, chip: Chip, information: Information) -> None:
        """Start without a session."""
        self._chip = chip
        self._information = information
        self._keys = OneTimeKeys(chip)
        self.current: Session | None = None

    def get_euicc_challenge(self, request: Tlv) -> bytes:
        """Answer ES10b.GetEUICCChallenge (5.7.7): a new session, which replaces the previous one."""
        self._chip.decode("GetEuiccChallengeRequest", request)
        self._put_off()
        self.current = Session(challenge=token_bytes(16))
        return self._chip.encode("GetEuiccChallengeResponse", {"euiccChallenge": self.current.challenge})

    def authenticate_server(self, request: Tlv) -> bytes:
        """Answer ES10b.AuthenticateServer (5.7.13)."""
        chip = self._chip
        asked = chip.decode("AuthenticateServerRequest", request)
        signed = chip.schema.decode("ServerSigned1", asked["serverSigned1"])
        try:
            session = self._authenticated(asked, signed)
        except SessionError as error:
            self._after_error()
            failure = {"transactionId": signed["transactionId"], "authenticateErrorCode": error.code}
            return chip.encode("AuthenticateServerResponse", ("authenticateResponseError", failure))
        assert session.signer is not None, "authenticated"
        server_signed = tlv.parse(asked["serverSigned1"])
        euicc_signed = tlv.encode(
            0x30,
            *(server_signed.get(tag).raw for tag in (0x80, 0x83, 0x84)),
            self._information.euicc_info2(),
            self._echoed(asked["ctxParams1"]),
        )
        session.signature1 = tlv.encode(0x5F37, session.signer.euicc.sign(euicc_signed))
        return tlv.encode(
            0xBF38,
            tlv.encode(
                0xA0, euicc_signed, session.signature1, session.signer.euicc.der, session.signer.eum.der
            ),
        )

    def prepare_download(self, request: Tlv) -> bytes:
        """Answer ES10b.PrepareDownload (5.7.5)."""
        chip = self._chip
        asked = chip.decode("PrepareDownloadRequest", request)
        signed = chip.schema.decode("SmdpSigned2", asked["smdpSigned2"])
        try:
            session, binding = self._bindable(asked, signed)
        except SessionError as error:
            self._after_error()
            failure = {"transactionId": signed["transactionId"], "downloadErrorCode": error.code}
            return chip.encode("PrepareDownloadResponse", ("downloadResponseError", failure))
        assert session.signer is not None, "authenticated"
        session.binding = binding
        session.one_time_key = self._keys.take(binding, signed.get("bppEuiccOtpk"))
        session.stage = Stage.PREPARED
        smdp_signature = tlv.encode(0x5F37, asked["smdpSignature2"])
        euicc_signed = {
            "transactionId": session.transaction_id,
            "euiccOtpk": public_point(session.one_time_key),
        }
        if "hashCc" in asked:
            euicc_signed["hashCc"] = asked["hashCc"]
        data = chip.encode("EuiccSigned2", euicc_signed)
        signature = tlv.encode(0x5F37, session.signer.euicc.sign(data + smdp_signature))
        return tlv.encode(0xBF21, tlv.encode(0xA0, data, signature))

    def cancel_session(self, request: Tlv) -> bytes:
        """Answer ES10b.CancelSession (5.7.14)."""
        chip = self._chip
        asked = chip.decode("CancelSessionRequest", request)
        session = self.current
        if session is None or session.server is None or session.transaction_id != asked["transactionId"]:
            failure = ("cancelSessionResponseError", _CANCEL_INVALID_TRANSACTION)
            return chip.encode("CancelSessionResponse", failure)
        assert session.signer is not None, "authenticated"
        if asked["reason"] in (_POSTPONED, _TIMEOUT):
            self._put_off()
        else:
            self._keys.forget(session.one_time_key)
        self.current = None
        data = chip.encode(
            "EuiccCancelSessionSigned",
            {
                "transactionId": session.transaction_id,
                "smdpOid": session.server.oid,
                "reason": asked["reason"],
            },
        )
        signature = tlv.encode(0x5F37, session.signer.euicc.sign(data))
        return tlv.encode(0xBF41, tlv.encode(0xA0, data, signature))

    def loading(self, session: Session) -> None:
        """Record that the server uses the one-time key, so that no later attempt may use it."""
        session.stage = Stage.LOADING
        self._keys.forget(session.one_time_key)

    def end(self) -> None:
        """End the session, for example after an installation."""
        self.current = None

    def _authenticated(self, asked: dict[str, Any], signed: dict[str, Any]) -> Session:
        """Check the request in the order of 5.7.13; return the session, which is then authenticated."""
        session = self.current
        if session is None or session.stage is not Stage.CHALLENGED:
            raise SessionError("no challenge was requested", Fault.NO_SESSION)
        server = self._chain(asked["serverCertificate"], asked.get("otherCertsInChain", ()))
        if not (Role.DP_AUTH.held_by(server.credential) or Role.DS_AUTH.held_by(server.credential)):
            raise SessionError("the certificate is not for the authentication of a server", Fault.INVALID_OID)
        if not server.credential.signed(asked["serverSignature1"], asked["serverSigned1"]):
            raise SessionError("serverSignature1 is wrong", Fault.INVALID_SIGNATURE)
        if signed["euiccChallenge"] != session.challenge:
            raise SessionError("the challenge is not that of this session", Fault.CHALLENGE_MISMATCH)
        wanted = asked.get("euiccCiPKIdToBeUsed")
        signers = [one for one in self._chip.signers if wanted is None or one.key_id == wanted]
        if not signers:
            raise SessionError("the card has no signing key for this CI", Fault.UNKNOWN_CI)
        session.signer = signers[0]
        session.server = server
        session.transaction_id = signed["transactionId"]
        session.address = signed["serverAddress"]
        session.stage = Stage.AUTHENTICATED
        return session

    def _bindable(self, asked: dict[str, Any], signed: dict[str, Any]) -> tuple[Session, ServerCertificate]:
        """Check the request in the order of 5.7.5; return the session and CERT.DPpb."""
        session = self.current
        if (
            session is None
            or session.server is None
            or session.stage not in (Stage.AUTHENTICATED, Stage.PREPARED)
        ):
            raise SessionError("no server is authenticated", Fault.NO_SESSION)
        if signed["transactionId"] != session.transaction_id:
            raise SessionError("another session's transaction ID", _INVALID_TRANSACTION_ID)
        authentication = session.server
        try:
            binding = self._chain(asked["smdpCertificate"], authentication.subordinates)
        except SessionError as error:  # DownloadErrorCode has no ciPKUnknown
            code = Fault.INVALID_CERTIFICATE if error.code == Fault.UNKNOWN_CI else error.code
            raise SessionError(error.sentence, code) from error
        same_owner = binding.oid == authentication.oid
        same_issuer = binding.issuer_key_id == authentication.issuer_key_id
        if not (Role.DP_PB.held_by(binding.credential) and same_owner and same_issuer):
            raise SessionError("no certificate of this server for binding", Fault.INVALID_CERTIFICATE)
        if not binding.credential.signed(asked["smdpSignature2"], asked["smdpSigned2"] + session.signature1):
            raise SessionError("smdpSignature2 is wrong", Fault.INVALID_SIGNATURE)
        return session, binding

    def _chain(self, certificate: bytes, others: Sequence[bytes]) -> ServerCertificate:
        try:
            return check_chain(certificate, trusted=self._chip.trusted, others=others)
        except CertificateError as error:
            raise SessionError(error.sentence, error.fault) from error

    def _echoed(self, parameters: bytes) -> bytes:
        """Return ctxParams1 for euiccSigned1; most cards return the received bytes."""
        if self._chip.behaviour.copies_unknown_parameters:
            return parameters
        kept = []
        for element in tlv.parse(parameters).children():
            if element.tag == 0xA1:
                fields = [one.raw for one in element.children() if one.tag in _OLD_DEVICE_INFO]
                kept.append(tlv.encode(0xA1, *fields))
            elif element.tag in _OLD_PARAMETERS:
                kept.append(element.raw)
        return tlv.encode(0xA0, *kept)

    def _after_error(self) -> None:
        if self._chip.behaviour.error_ends_session:
            self.current = None

    def _put_off(self) -> None:
        """Store an unused one-time key for the next attempt of the same download."""
        session = self.current
        if session is None or session.stage is not Stage.PREPARED:
            return
        assert session.one_time_key is not None, "prepared"
        assert session.server is not None, "prepared"
        self._keys.keep(session.server.oid, session.one_time_key)
