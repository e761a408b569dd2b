"""Common mutual authentication, as seen by the LPA: AuthenticateServer (SGP.22 v2.5, 5.7.13).

Data signed by the server or the card keeps its received bytes: requests are joined, never re-encoded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.base.errors import InvalidValue
from lpad.base.frozen import Frozen
from lpad.base.identifiers import Eid, TransactionId
from lpad.codec.asn1 import der, tlv
from lpad.codec.messages.result_code import ResultCode
from lpad.codec.x509.certificate_holder_and_role import subject_serial_number

if TYPE_CHECKING:
    from lpad.base.identifiers import Imei

UNKNOWN_TAC = bytes(4)
"""DeviceInfo.tac of a device of unknown type; the field is mandatory."""
_AGREED = 0xA0
_EUICC_CERTIFICATE = 2
"""The certificate's position in AuthenticateResponseOk, after the signed part and the signature."""


class AuthenticateError(ResultCode):
    """Why the card refused a server."""

    INVALID_CERTIFICATE = 1, "invalidCertificate"
    INVALID_SIGNATURE = 2, "invalidSignature"
    UNSUPPORTED_CURVE = 3, "unsupportedCurve"
    NO_SESSION_CONTEXT = 4, "noSessionContext"
    INVALID_OID = 5, "invalidOid"
    EUICC_CHALLENGE_MISMATCH = 6, "euiccChallengeMismatch"
    CI_PK_UNKNOWN = 7, "ciPKUnknown"
    UNDEFINED_ERROR = 127, "undefinedError"


class ServerSigned1(Frozen):
    """The signed data of the server's first answer; `raw` is the signed element."""

    raw: bytes
    transaction_id: TransactionId
    euicc_challenge: bytes
    server_address: str
    server_challenge: bytes

    @classmethod
    def decode(cls, raw: bytes) -> ServerSigned1:
        """Read a ServerSigned1.

        Raises:
            MalformedError: the bytes are not a ServerSigned1.
        """
        value = der.decode("ServerSigned1", raw)
        return cls(
            raw=raw,
            transaction_id=TransactionId(value["transactionId"]),
            euicc_challenge=value["euiccChallenge"],
            server_address=value["serverAddress"],
            server_challenge=value["serverChallenge"],
        )


class DeviceCapabilities(Frozen):
    """The highest 3GPP release that the device supports per radio, as 3 bytes; see `release`.

    None means that the device lacks the radio. `contactless` is a release of ETSI TS 102 613,
    `rsp_crl` is the version of certificate revocation lists that the LPA loads.
    """

    gsm: bytes | None = None
    utran: bytes | None = None
    cdma2000_onex: bytes | None = None
    cdma2000_hrpd: bytes | None = None
    cdma2000_ehrpd: bytes | None = None
    eutran_epc: bytes | None = None
    contactless: bytes | None = None
    rsp_crl: bytes | None = None
    nr_epc: bytes | None = None
    nr_5gc: bytes | None = None
    eutran_5gc: bytes | None = None


# The fields of `_LATER_CAPABILITIES` came with SGP.22 v2.2.2 and are only for cards with
# deviceInfoExtensibilitySupport, because an older card may fail on unknown elements.
_CAPABILITIES = {
    "gsmSupportedRelease": "gsm",
    "utranSupportedRelease": "utran",
    "cdma2000onexSupportedRelease": "cdma2000_onex",
    "cdma2000hrpdSupportedRelease": "cdma2000_hrpd",
    "cdma2000ehrpdSupportedRelease": "cdma2000_ehrpd",
    "eutranEpcSupportedRelease": "eutran_epc",
    "contactlessSupportedRelease": "contactless",
    "rspCrlSupportedVersion": "rsp_crl",
}
_LATER_CAPABILITIES = {
    "nrEpcSupportedRelease": "nr_epc",
    "nr5gcSupportedRelease": "nr_5gc",
    "eutran5gcSupportedRelease": "eutran_5gc",
}


class DeviceInfo(Frozen):
    """The device information for the server: the TAC (4 bytes, as `Imei.tac`), the radios, the IMEI."""

    tac: bytes
    capabilities: DeviceCapabilities
    imei: Imei | None = None


class CtxParams1(Frozen):
    """CtxParamsForCommonAuthentication: the order and the device.

    `matching_id` None leaves the element out, and the empty string sends it empty; without a matching ID, the
    server finds the order by the card's EID.
    """

    matching_id: str | None
    device_info: DeviceInfo

    def encode(self, *, extensible: bool = True) -> bytes:
        """Return the element A0.

        Args:
            extensible: whether the card's RSP capabilities name deviceInfoExtensibilitySupport.
        """
        device = self.device_info
        capabilities = _CAPABILITIES | (_LATER_CAPABILITIES if extensible else {})
        releases = {name: getattr(device.capabilities, ours) for name, ours in capabilities.items()}
        info = {
            "tac": device.tac,
            "deviceCapabilities": {name: data for name, data in releases.items() if data is not None},
        }
        if device.imei is not None:
            info["imei"] = device.imei.to_bytes()
        value: dict[str, object] = {"deviceInfo": info}
        if self.matching_id is not None:
            value["matchingId"] = self.matching_id
        return der.encode("CtxParams1", ("ctxParamsForCommonAuthentication", value))


class AuthenticateServerRequest(Frozen):
    """AuthenticateServer (BF38): four elements from the server, with tag and length, and lpad's CtxParams1.

    `euicc_ci_pk_id_to_be_used` (04 14 ...) is None if a v3 server omitted it.
    """

    server_signed1: bytes
    server_signature1: bytes
    euicc_ci_pk_id_to_be_used: bytes | None
    server_certificate: bytes
    ctx_params1: bytes

    def encode(self) -> bytes:
        """Return the request."""
        return tlv.encode(
            0xBF38,
            self.server_signed1,
            self.server_signature1,
            self.euicc_ci_pk_id_to_be_used or b"",
            self.server_certificate,
            self.ctx_params1,
        )


class AuthenticateServerResponse(Frozen):
    """The card's answer (BF38): `raw` goes to the server unchanged; `error` is None if the card agreed."""

    raw: bytes
    error: AuthenticateError | None

    @classmethod
    def decode(cls, raw: bytes) -> AuthenticateServerResponse:
        """Read the answer as far as the LPA needs it.

        Raises:
            MalformedError: the answer is neither an agreement nor a refusal.
        """
        outcome, value = der.decode("AuthenticateServerResponse", raw)
        agreed = outcome == "authenticateResponseOk"
        return cls(raw, None if agreed else AuthenticateError(value["authenticateErrorCode"]))

    @property
    def eid(self) -> Eid | None:
        """The EID in the card's certificate; None if the answer contains no valid EID.

        The EID is the subject's serialNumber (SGP.22 v2.5, 4.5.2.1), so lpad need not ask the card.

        Raises:
            MalformedError: the bytes are not a certificate.
        """
        agreed = tlv.parse(self.raw).find(_AGREED)
        parts = () if agreed is None else agreed.children()
        if len(parts) <= _EUICC_CERTIFICATE:
            return None
        number = subject_serial_number(parts[_EUICC_CERTIFICATE].raw)
        try:
            return None if number is None else Eid.parse(number)
        except InvalidValue:
            return None


def release(major: int, minor: int = 0, revision: int = 0) -> bytes:
    """Return the 3 bytes of a release, such as `release(15)` for Release 15."""
    return bytes((major, minor, revision))
