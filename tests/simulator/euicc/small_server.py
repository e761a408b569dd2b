"""A small SM-DP+ for the simulated card's tests, whose signatures and packages can be made wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from lpad.base.identifiers import Iccid
from lpad.codec.asn1 import tlv
from lpad.simulator.euicc.isdr.rules_authorisation_check import bit_string
from lpad.simulator.pki.credential import Credential, Curve
from lpad.simulator.profile_package.bsp import Bsp, BspKeys
from lpad.simulator.profile_package.made_up_profile import made_up_profile
from simulator.euicc.small_lpa import SCHEMA, SmallLpa

if TYPE_CHECKING:
    from lpad.simulator.pki.pki import Pki

ICCID = Iccid.parse("8949000000000000015")
OTHER_ICCID = Iccid.parse("8949000000000000023")
TAC = bytes.fromhex("53926011")
CTX_PARAMS = SCHEMA.encode(
    "CtxParams1",
    (
        "ctxParamsForCommonAuthentication",
        {"matchingId": "ABC-1", "deviceInfo": {"tac": TAC, "deviceCapabilities": {}}},
    ),
)
ADDRESS = "testsmdpplus1.example.com"


def metadata(iccid: Iccid = ICCID, **changed: Any) -> bytes:
    """Return an encoded StoreMetadataRequest with the changed fields."""
    values: dict[str, Any] = {
        "iccid": bytes(iccid),
        "serviceProviderName": "Provider",
        "profileName": "Name",
        **changed,
    }
    return SCHEMA.encode("StoreMetadataRequest", values)


def everything_notified(address: str = ADDRESS) -> list[dict[str, Any]]:
    """Return a notification configuration that requests a notification for every event."""
    return [{"profileManagementOperation": bit_string([0, 1, 2, 3]), "notificationAddress": address}]


def signature(data: bytes) -> bytes:
    return tlv.encode(0x5F37, data)


@dataclass
class SmallServer:
    """The server's part of one download; a test changes fields or arguments to make a step wrong."""

    pki: Pki
    curve: Curve = Curve.NIST
    transaction_id: bytes = bytes(range(16))
    address: str = ADDRESS
    challenge: bytes = bytes(16)
    host_id: bytes = b"\x80" * 8
    remote_operation: int = 1
    key_type: bytes = b"\x88"
    key_length: bytes = b"\x10"
    otpk: ec.EllipticCurvePrivateKey | None = None
    euicc_signature1: bytes = b""
    euicc_point: bytes = b""
    replaced_keys: BspKeys | None = None
    configuration: bytes = bytes.fromhex("BF2400")
    metadata: bytes = field(default_factory=metadata)
    package: bytes = field(default_factory=lambda: made_up_profile(ICCID, size=5000))
    piece: int | None = None

    @property
    def auth(self) -> Credential:
        return self.pki.dp_auth[self.curve]

    @property
    def pb(self) -> Credential:
        return self.pki.dp_pb[self.curve]

    def authenticate_request(
        self,
        euicc_challenge: bytes,
        *,
        certificate: Credential | None = None,
        bad_signature: bool = False,
        ci: bytes | None = None,
        ctx_params: bytes = CTX_PARAMS,
    ) -> bytes:
        signer = certificate or self.auth
        signed = SCHEMA.encode(
            "ServerSigned1",
            {
                "transactionId": self.transaction_id,
                "euiccChallenge": euicc_challenge,
                "serverAddress": self.address,
                "serverChallenge": self.challenge,
            },
        )
        used = ci if ci is not None else self.pki.ci[self.curve].key_id
        return tlv.encode(
            0xBF38,
            signed,
            signature(bytes(64) if bad_signature else signer.sign(signed)),
            tlv.encode(0x04, used),
            signer.der,
            ctx_params,
        )

    def prepare_request(
        self,
        *,
        certificate: Credential | None = None,
        bad_signature: bool = False,
        transaction_id: bytes | None = None,
        offered: bytes | None = None,
        hash_cc: bytes | None = None,
    ) -> bytes:
        signer = certificate or self.pb
        values: dict[str, Any] = {
            "transactionId": transaction_id or self.transaction_id,
            "ccRequiredFlag": hash_cc is not None,
        }
        if offered is not None:
            values["bppEuiccOtpk"] = offered
        signed = SCHEMA.encode("SmdpSigned2", values)
        self.smdp_signature2 = signature(
            bytes(64) if bad_signature else signer.sign(signed + self.euicc_signature1)
        )
        code = tlv.encode(0x04, hash_cc) if hash_cc is not None else b""
        return tlv.encode(0xBF21, signed, self.smdp_signature2, code, signer.der)

    def keys(self, eid: bytes) -> BspKeys:
        assert self.otpk is not None
        point = ec.EllipticCurvePublicKey.from_encoded_point(self.curve.algorithm, self.euicc_point)
        return BspKeys.derive(self.otpk.exchange(ec.ECDH(), point), self.host_id, eid)

    def secure_channel_request(
        self, *, bad_signature: bool = False, transaction_id: bytes | None = None, point: bytes | None = None
    ) -> bytes:
        self.otpk = self.otpk or ec.generate_private_key(self.curve.algorithm)
        own = point or self.otpk.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        signed = (
            tlv.encode(0x82, bytes([self.remote_operation]))
            + tlv.encode(0x80, transaction_id or self.transaction_id)
            + tlv.encode(
                0xA6,
                tlv.encode(0x80, self.key_type),
                tlv.encode(0x81, self.key_length),
                tlv.encode(0x84, self.host_id),
            )
            + tlv.encode(0x5F49, own)
        )
        covered = signed + tlv.encode(0x5F49, self.euicc_point)
        return tlv.encode(0xBF23, signed, signature(bytes(64) if bad_signature else self.pb.sign(covered)))

    def segments(self, eid: bytes, *, secure_channel: bytes | None = None) -> list[bytes]:
        """Return the segments of the bound profile package, as SGP.22, 2.5.5, defines them."""
        first = secure_channel or self.secure_channel_request()
        bsp = Bsp(self.keys(eid))
        groups = [
            (0xA0, bsp.protect_all(0x87, self.configuration)),
            (0xA1, bsp.protect_all(0x88, self.metadata, largest=self.piece)),
        ]
        if self.replaced_keys is not None:
            replaced = SCHEMA.encode(
                "ReplaceSessionKeysRequest",
                {
                    "initialMacChainingValue": self.replaced_keys.chaining,
                    "ppkEnc": self.replaced_keys.s_enc,
                    "ppkCmac": self.replaced_keys.s_mac,
                },
            )
            groups.append((0xA2, bsp.protect_all(0x87, replaced)))
            bsp.replace_session_keys(self.replaced_keys)
        groups.append((0xA3, bsp.protect_all(0x86, self.package, largest=self.piece)))
        whole = first + b"".join(tlv.encode(tag, *parts) for tag, parts in groups)
        made = [tlv.tag_bytes(0xBF36) + tlv.encode_length(len(whole)) + first]
        for tag, parts in groups:
            header = bytes([tag]) + tlv.encode_length(sum(map(len, parts)))
            made += [header + parts[0], *parts[1:]] if tag in (0xA0, 0xA2) else [header, *parts]
        return made

    # The steps of a download with an LPA; a test calls those that it needs.

    def authenticate(self, lpa: SmallLpa, **changed: Any) -> tuple[str, dict[str, Any]]:
        challenge = lpa.call("GetEuiccChallengeRequest", {}, "GetEuiccChallengeResponse")["euiccChallenge"]
        answer = lpa.command(self.authenticate_request(challenge, **changed))
        kind, value = SCHEMA.decode("AuthenticateServerResponse", answer)
        if kind == "authenticateResponseOk":
            self.euicc_signature1 = signature(value["euiccSignature1"])
        return kind, value

    def prepare(self, lpa: SmallLpa, **changed: Any) -> tuple[str, dict[str, Any]]:
        answer = lpa.command(self.prepare_request(**changed))
        kind, value = SCHEMA.decode("PrepareDownloadResponse", answer)
        if kind == "downloadResponseOk":
            signed = SCHEMA.decode("EuiccSigned2", value["euiccSigned2"])
            self.euicc_point = signed["euiccOtpk"]
        return kind, value

    def load(self, lpa: SmallLpa, **changed: Any) -> bytes:
        """Send segments until the card answers with data, and return the data."""
        for segment in self.segments(bytes(lpa.card.eid), **changed):
            answer = lpa.command(segment)
            if answer:
                return answer
        return b""

    def download(self, lpa: SmallLpa) -> tuple[str, dict[str, Any]]:
        """Run a complete download and return its FinalResult."""
        kind, value = self.authenticate(lpa)
        assert kind == "authenticateResponseOk", value
        kind, value = self.prepare(lpa)
        assert kind == "downloadResponseOk", value
        return final_result(self.load(lpa))


def final_result(answer: bytes) -> tuple[str, dict[str, Any]]:
    """Return the FinalResult in an encoded ProfileInstallationResult."""
    result = SCHEMA.decode("ProfileInstallationResult", answer)
    data = SCHEMA.decode("ProfileInstallationResultData", result["profileInstallationResultData"])
    kind, value = data["finalResult"]
    return kind, value
