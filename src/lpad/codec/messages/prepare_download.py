"""PrepareDownload, by which the card accepts or refuses a profile before its download (SGP.22 v2.5, 5.7.5).

Data signed by the server or the card keeps its received bytes: requests are joined, never re-encoded.
"""

from __future__ import annotations

from hashlib import sha256

from msgspec import Struct

from lpad.base.frozen import Frozen
from lpad.base.identifiers import TransactionId
from lpad.codec.asn1 import der, tlv
from lpad.codec.messages.result_code import ResultCode


class DownloadError(ResultCode):
    """Why the card refused to prepare a download."""

    INVALID_CERTIFICATE = 1, "invalidCertificate"
    INVALID_SIGNATURE = 2, "invalidSignature"
    UNSUPPORTED_CURVE = 3, "unsupportedCurve"
    NO_SESSION_CONTEXT = 4, "noSessionContext"
    INVALID_TRANSACTION_ID = 5, "invalidTransactionId"
    UNDEFINED_ERROR = 127, "undefinedError"


class SmdpSigned2(Frozen):
    """The signed data of the server's second answer; `raw` is the signed element."""

    raw: bytes
    transaction_id: TransactionId
    confirmation_code_required: bool
    bpp_euicc_otpk: bytes | None

    @classmethod
    def decode(cls, raw: bytes) -> SmdpSigned2:
        """Read an SmdpSigned2.

        Raises:
            MalformedError: the bytes are not an SmdpSigned2.
        """
        value = der.decode("SmdpSigned2", raw)
        return cls(
            raw=raw,
            transaction_id=TransactionId(value["transactionId"]),
            confirmation_code_required=value["ccRequiredFlag"],
            bpp_euicc_otpk=value.get("bppEuiccOtpk"),
        )


class PrepareDownloadRequest(Struct, frozen=True):
    """PrepareDownload (BF21): three of the server's elements, unchanged, and the confirmation code's hash."""

    smdp_signed2: bytes
    smdp_signature2: bytes
    smdp_certificate: bytes
    hash_cc: bytes | None = None

    def encode(self) -> bytes:
        """Return the request; the hash precedes the certificate."""
        hash_cc = b"" if self.hash_cc is None else tlv.encode(0x04, self.hash_cc)
        return tlv.encode(0xBF21, self.smdp_signed2, self.smdp_signature2, hash_cc, self.smdp_certificate)


class PrepareDownloadResponse(Frozen):
    """The card's answer (BF21): `raw` goes to the server unchanged; `error` is None if the card agreed."""

    raw: bytes
    error: DownloadError | None

    @classmethod
    def decode(cls, raw: bytes) -> PrepareDownloadResponse:
        """Read the answer as far as the LPA needs it.

        Raises:
            MalformedError: the answer is neither an agreement nor a refusal.
        """
        outcome, value = der.decode("PrepareDownloadResponse", raw)
        agreed = outcome == "downloadResponseOk"
        return cls(raw, None if agreed else DownloadError(value["downloadErrorCode"]))


def hash_confirmation_code(code: str, transaction_id: TransactionId) -> bytes:
    """Return the 32 bytes of hashCc: SHA-256 over the code's SHA-256 and the transaction ID.

    The code is hashed as its UTF-8 text; servers that read digits as hexadecimal are wrong.
    """
    return sha256(sha256(code.encode()).digest() + bytes(transaction_id)).digest()
