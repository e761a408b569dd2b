"""CancelSession, which ends a download session at the card and the server (SGP.22 v2.5, 5.7.14)."""

from __future__ import annotations

from msgspec import Struct

from lpad.base.identifiers import TransactionId
from lpad.codec.asn1 import der
from lpad.codec.messages.result_code import ResultCode


class CancelSessionReason(ResultCode):
    """Why a download session is cancelled."""

    END_USER_REJECTION = 0, "endUserRejection"
    POSTPONED = 1, "postponed"
    TIMEOUT = 2, "timeout"
    PPR_NOT_ALLOWED = 3, "pprNotAllowed"
    METADATA_MISMATCH = 4, "metadataMismatch"
    LOAD_BPP_EXECUTION_ERROR = 5, "loadBppExecutionError"
    UNDEFINED_REASON = 127, "undefinedReason"


class CancelSessionError(ResultCode):
    """Why the card refused to cancel a session."""

    INVALID_TRANSACTION_ID = 5, "invalidTransactionId"
    UNDEFINED_ERROR = 127, "undefinedError"


class CancelSessionRequest(Struct, frozen=True):
    """CancelSession (BF41)."""

    transaction_id: TransactionId
    reason: CancelSessionReason

    def encode(self) -> bytes:
        """Return the request."""
        value = {"transactionId": bytes(self.transaction_id), "reason": self.reason.value}
        return der.encode("CancelSessionRequest", value)


class CancelSessionResponse(Struct, frozen=True):
    """The card's answer (BF41): `raw` goes to the server unchanged; `error` is None if the card agreed."""

    raw: bytes
    error: CancelSessionError | None

    @classmethod
    def decode(cls, raw: bytes) -> CancelSessionResponse:
        """Read the answer as far as the LPA needs it.

        Raises:
            MalformedError: the answer is neither an agreement nor a refusal.
        """
        outcome, value = der.decode("CancelSessionResponse", raw)
        return cls(raw, None if outcome == "cancelSessionResponseOk" else CancelSessionError(value))
