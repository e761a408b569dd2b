"""A small card and LPA, step by step, for the tests of the simulated SM-DP+ and SM-DS.

The card's messages are encoded and the server's are read with the schema (asn1tools), a codec that
the server itself does not use.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import socket
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from lpad.codec.asn1 import tlv
from lpad.simulator.asn1.schema import Schema
from lpad.simulator.pki.credential import Curve
from lpad.simulator.pki.pki import DEFAULT_EID
from lpad.simulator.profile_package.bsp import Bsp, BspKeys

if TYPE_CHECKING:
    from lpad.base.identifiers import Eid
    from lpad.simulator.pki.credential import Credential
    from lpad.simulator.pki.pki import Pki
    from lpad.simulator.smdp.server import SmDp

SCHEMA = Schema.compile()
PREFIX = "/gsma/rsp2/es9plus/"
Fields = dict[str, Any]


def decoded(type_name: str, text: str) -> Any:
    """Decode a field of valid base64 by the schema."""
    return SCHEMA.decode(type_name, base64.b64decode(text, validate=True))


def status_of(answer: Fields) -> str:
    """Return subject and reason code of an answer, or its status if there are no codes."""
    execution = answer["header"]["functionExecutionStatus"]
    data = execution.get("statusCodeData")
    return f"{data['subjectCode']}/{data['reasonCode']}" if data else execution["status"]


class Connection:
    """A persistent HTTPS connection to the server that trusts the PKI's CIs."""

    def __init__(self, smdp: SmDp, pki: Pki, *, name: str | None = None) -> None:
        context = ssl.create_default_context(cadata=b"".join(ci.der for ci in pki.ci.values()))
        host, _, port = smdp.address.partition(":")
        self.connection = http.client.HTTPSConnection("127.0.0.1", int(port), context=context, timeout=10)
        self._name = name or host
        self._context = context

    def _connect(self) -> None:
        plain = socket.create_connection(("127.0.0.1", self.connection.port), timeout=10)
        self.connection.sock = self._context.wrap_socket(plain, server_hostname=self._name)

    def post(self, function: str, body: bytes, **headers: str) -> http.client.HTTPResponse:
        if self.connection.sock is None:
            self._connect()
        sent = {"Content-Type": "application/json", "X-Admin-Protocol": "gsma/rsp/v2.2.2", **headers}
        self.connection.request("POST", PREFIX + function, body, sent)
        return self.connection.getresponse()

    def call(self, function: str, fields: Fields) -> Fields:
        response = self.post(function, json.dumps(fields).encode())
        body = response.read()
        assert response.status == 200, (response.status, body)
        answer: Fields = json.loads(body)
        return answer

    def close(self) -> None:
        self.connection.close()


@dataclass
class TestCard:
    """The card's part of a session; a test can change each value."""

    __test__ = False

    credential: Credential
    eum: Credential
    verification: list[bytes]
    signing: list[bytes]
    eid: Eid = DEFAULT_EID
    svn: bytes = bytes((2, 2, 2))
    challenge: bytes = bytes(range(16))
    free_memory: int = 200_000
    forbidden_rules: tuple[bytes, int] | None = None
    one_time: ec.EllipticCurvePrivateKey | None = None
    sequence_number: int = 0
    smdp_signed: dict[str, bytes] = field(default_factory=dict)

    @classmethod
    def of(cls, pki: Pki, *, curve: Curve = Curve.NIST, eid: Eid = DEFAULT_EID) -> TestCard:
        known = [pki.ci[curve].key_id]
        return cls(pki.issue_euicc(eid, curve), pki.eum[curve], list(known), list(known), eid)

    def info1(self) -> bytes:
        return SCHEMA.encode(
            "EUICCInfo1",
            {
                "svn": self.svn,
                "euiccCiPKIdListForVerification": self.verification,
                "euiccCiPKIdListForSigning": self.signing,
            },
        )

    def _info2(self) -> Fields:
        memory = self.free_memory.to_bytes(4, "big")
        info2: Fields = {
            "profileVersion": bytes((2, 3, 1)),
            "svn": self.svn,
            "euiccFirmwareVer": bytes(3),
            "extCardResource": bytes.fromhex("8101008204") + memory + bytes.fromhex("83021000"),
            "uiccCapability": (b"\x7f", 8),
            "rspCapability": (b"\x80", 1),
            "euiccCiPKIdListForVerification": self.verification,
            "euiccCiPKIdListForSigning": self.signing,
            "ppVersion": bytes((0, 0, 1)),
            "sasAcreditationNumber": "lpad",
        }
        if self.forbidden_rules is not None:
            info2["forbiddenProfilePolicyRules"] = self.forbidden_rules
        return info2

    def authenticate_server(
        self, answer: Fields, *, matching_id: str | None = None, tac: str = "53926011", **changes: Any
    ) -> bytes:
        """Return the card's signed answer to the server's answer to initiateAuthentication."""
        signed1 = base64.b64decode(answer["serverSigned1"])
        told = SCHEMA.decode("ServerSigned1", signed1)
        info: Fields = {"tac": bytes.fromhex(tac), "deviceCapabilities": {}}
        context: Fields = {"deviceInfo": info}
        if matching_id is not None:
            context["matchingId"] = matching_id
        fields = {
            "transactionId": told["transactionId"],
            "serverAddress": told["serverAddress"],
            "serverChallenge": told["serverChallenge"],
            "euiccInfo2": self._info2(),
            "ctxParams1": SCHEMA.encode("CtxParams1", ("ctxParamsForCommonAuthentication", context)),
        } | changes
        euicc_signed1 = SCHEMA.encode("EuiccSigned1", fields)
        self.smdp_signed["euiccSignature1"] = self.credential.sign(euicc_signed1)
        return SCHEMA.encode(
            "AuthenticateServerResponse",
            (
                "authenticateResponseOk",
                {
                    "euiccSigned1": euicc_signed1,
                    "euiccSignature1": self.smdp_signed["euiccSignature1"],
                    "euiccCertificate": self.credential.der,
                    "eumCertificate": self.eum.der,
                },
            ),
        )

    def prepare_download(
        self, answer: Fields, *, code: str | None = None, hash_cc: bytes | None = None, **changes: Any
    ) -> bytes:
        """Return PrepareDownload's answer with a one-time key, signed together with smdpSignature2."""
        told = decoded("SmdpSigned2", answer["smdpSigned2"])
        self.one_time = self.one_time or ec.generate_private_key(self.credential.curve.algorithm)
        fields: Fields = {"transactionId": told["transactionId"], "euiccOtpk": self.otpk()}
        if code is not None:
            hash_cc = hashlib.sha256(hashlib.sha256(code.encode()).digest() + told["transactionId"]).digest()
        if hash_cc is not None:
            fields["hashCc"] = hash_cc
        signed2 = SCHEMA.encode("EuiccSigned2", fields | changes)
        signature = self.credential.sign(signed2 + base64.b64decode(answer["smdpSignature2"]))
        return SCHEMA.encode(
            "PrepareDownloadResponse",
            ("downloadResponseOk", {"euiccSigned2": signed2, "euiccSignature2": signature}),
        )

    def otpk(self) -> bytes:
        assert self.one_time is not None
        return self.one_time.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def load(self, package: bytes, dp_pb: Credential) -> Fields:
        """Verify a package's signature, derive the keys, decrypt each piece, and return the content."""
        assert self.one_time is not None
        parts = {one.tag: one for one in tlv.parse(package).children()}
        channel = SCHEMA.decode("InitialiseSecureChannelRequest", parts[0xBF23].raw)
        fields = tlv.parse(parts[0xBF23].raw).children()
        signed = b"".join(one.raw for one in fields[:-1]) + tlv.encode(0x5F49, self.otpk())
        assert dp_pb.signed(fields[-1].value, signed)
        theirs = ec.EllipticCurvePublicKey.from_encoded_point(
            self.credential.curve.algorithm, channel["smdpOtpk"]
        )
        secret = self.one_time.exchange(ec.ECDH(), theirs)
        host_id = channel["controlRefTemplate"]["hostId"]
        bsp = Bsp(BspKeys.derive(secret, host_id, bytes(self.eid)))
        opened: Fields = {"transactionId": channel["transactionId"], "smdpOtpk": channel["smdpOtpk"]}
        opened["configure"] = bsp.unprotect(parts[0xA0].value)
        opened["metadataPieces"] = [bsp.unprotect(one.raw) for one in parts[0xA1].children()]
        if 0xA2 in parts:
            own = SCHEMA.decode("ReplaceSessionKeysRequest", bsp.unprotect(parts[0xA2].value))
            bsp.replace_session_keys(BspKeys(own["initialMacChainingValue"], own["ppkEnc"], own["ppkCmac"]))
        opened["profilePieces"] = [bsp.unprotect(one.raw) for one in parts[0xA3].children()]
        opened["pieceLengths"] = [len(one.raw) for one in parts[0xA3].children()]
        return opened

    def cancel_session(self, transaction_id: bytes, reason: int, *, oid: str = "2.999.10") -> bytes:
        signed = SCHEMA.encode(
            "EuiccCancelSessionSigned", {"transactionId": transaction_id, "smdpOid": oid, "reason": reason}
        )
        return SCHEMA.encode(
            "CancelSessionResponse",
            (
                "cancelSessionResponseOk",
                {
                    "euiccCancelSessionSigned": signed,
                    "euiccCancelSessionSignature": self.credential.sign(signed),
                },
            ),
        )

    def metadata(self, address: str, event: int, *, iccid: bytes | None = None) -> Fields:
        self.sequence_number += 1
        byte = 0x80 >> event
        metadata: Fields = {
            "seqNumber": self.sequence_number,
            "profileManagementOperation": (bytes([byte]), event + 1),
            "notificationAddress": address,
        }
        return metadata if iccid is None else metadata | {"iccid": iccid}

    def installation_result(
        self, transaction_id: bytes, address: str, *, error_reason: int | None = None
    ) -> bytes:
        final: tuple[str, Fields] = (
            "successResult",
            {"aid": bytes(16), "simaResponse": bytes.fromhex("3007A0053003800100")},
        )
        if error_reason is not None:
            final = ("errorResult", {"bppCommandId": 5, "errorReason": error_reason})
        result = SCHEMA.encode(
            "ProfileInstallationResultData",
            {
                "transactionId": transaction_id,
                "notificationMetadata": self.metadata(address, 0),
                "smdpOid": "2.999.10",
                "finalResult": final,
            },
        )
        return SCHEMA.encode(
            "ProfileInstallationResult",
            {"profileInstallationResultData": result, "euiccSignPIR": self.credential.sign(result)},
        )

    def other_notification(self, address: str, event: int, *, iccid: bytes) -> bytes:
        tbs = SCHEMA.encode("NotificationMetadata", self.metadata(address, event, iccid=iccid))
        return SCHEMA.encode(
            "OtherSignedNotification",
            {
                "tbsOtherNotification": tbs,
                "euiccNotificationSignature": self.credential.sign(tbs),
                "euiccCertificate": self.credential.der,
                "eumCertificate": self.eum.der,
            },
        )


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


@dataclass
class Visit:
    """The steps of a download by one card from one server; each step returns the server's answer."""

    smdp: SmDp
    card: TestCard
    connection: Connection
    address: str = ""
    initiated: Fields = field(default_factory=dict)
    authenticated: Fields = field(default_factory=dict)

    def initiate(self, **changes: Any) -> Fields:
        fields = {
            "smdpAddress": self.address or self.smdp.address,
            "euiccChallenge": b64(self.card.challenge),
            "euiccInfo1": b64(self.card.info1()),
        }
        self.initiated = self.connection.call("initiateAuthentication", fields | changes)
        return self.initiated

    @property
    def transaction_id(self) -> bytes:
        return bytes.fromhex(self.initiated["transactionId"])

    def authenticate(self, matching_id: str | None = None, **changes: Any) -> Fields:
        response = self.card.authenticate_server(self.initiated, matching_id=matching_id, **changes)
        return self.authenticate_with(response)

    def authenticate_with(self, response: bytes) -> Fields:
        self.authenticated = self.connection.call(
            "authenticateClient",
            {
                "transactionId": self.initiated["transactionId"],
                "authenticateServerResponse": b64(response),
            },
        )
        return self.authenticated

    def get_package(self, **changes: Any) -> Fields:
        response = self.card.prepare_download(self.authenticated, **changes)
        return self.connection.call(
            "getBoundProfilePackage",
            {
                "transactionId": self.initiated["transactionId"],
                "prepareDownloadResponse": b64(response),
            },
        )

    def cancel(self, reason: int, **changes: Any) -> Fields:
        response = self.card.cancel_session(self.transaction_id, reason, **changes)
        return self.connection.call(
            "cancelSession",
            {"transactionId": self.initiated["transactionId"], "cancelSessionResponse": b64(response)},
        )

    def notify(self, notification: bytes) -> int:
        body = json.dumps({"pendingNotification": b64(notification)}).encode()
        response = self.connection.post("handleNotification", body)
        response.read()
        return response.status

    def up_to_metadata(self, matching_id: str | None = None, **changes: Any) -> Fields:
        self.initiate()
        return self.authenticate(matching_id, **changes)

    def up_to_package(self, matching_id: str | None = None, **changes: Any) -> bytes:
        answer = self.up_to_metadata(matching_id)
        assert status_of(answer) == "Executed-Success", answer
        answer = self.get_package(**changes)
        assert status_of(answer) == "Executed-Success", answer
        return base64.b64decode(answer["boundProfilePackage"])
