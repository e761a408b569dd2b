"""The result of loading a profile: ProfileInstallationResult (SGP.22 v2.5, 2.5.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lpad.base.errors import MalformedError
from lpad.base.frozen import Frozen
from lpad.base.identifiers import TransactionId
from lpad.codec.asn1 import der
from lpad.codec.messages.notifications import NotificationMetadata
from lpad.codec.messages.profile_info import aid_of
from lpad.codec.messages.result_code import ResultCode

if TYPE_CHECKING:
    from lpad.base.identifiers import Aid

_NO_REASON = 127


class BppCommand(ResultCode):
    """The part of the bound profile package that the card was processing when the installation failed."""

    INITIALISE_SECURE_CHANNEL = 0, "initialiseSecureChannel"
    CONFIGURE_ISDP = 1, "configureISDP"
    STORE_METADATA = 2, "storeMetadata"
    STORE_METADATA2 = 3, "storeMetadata2"
    REPLACE_SESSION_KEYS = 4, "replaceSessionKeys"
    LOAD_PROFILE_ELEMENTS = 5, "loadProfileElements"


class InstallationError(ResultCode):
    """Why the card did not install the profile."""

    INCORRECT_INPUT_VALUES = 1, "incorrectInputValues"
    INVALID_SIGNATURE = 2, "invalidSignature"
    INVALID_TRANSACTION_ID = 3, "invalidTransactionId"
    UNSUPPORTED_CRT_VALUES = 4, "unsupportedCrtValues"
    UNSUPPORTED_REMOTE_OPERATION_TYPE = 5, "unsupportedRemoteOperationType"
    UNSUPPORTED_PROFILE_CLASS = 6, "unsupportedProfileClass"
    SCP03T_STRUCTURE_ERROR = 7, "scp03tStructureError"
    SCP03T_SECURITY_ERROR = 8, "scp03tSecurityError"
    ICCID_ALREADY_EXISTS = 9, "installFailedDueToIccidAlreadyExistsOnEuicc"
    INSUFFICIENT_MEMORY = 10, "installFailedDueToInsufficientMemoryForProfile"
    INTERRUPTION = 11, "installFailedDueToInterruption"
    PE_PROCESSING_ERROR = 12, "installFailedDueToPEProcessingError"
    DATA_MISMATCH = 13, "installFailedDueToDataMismatch"
    INVALID_NAA_KEY = 14, "testProfileInstallFailedDueToInvalidNaaKey"
    PPR_NOT_ALLOWED = 15, "pprNotAllowed"
    # The following codes are from SGP.22 v3 and later. One source numbers them from 16; all other sources
    # agree on 17 to 23 and 26.
    ENTERPRISE_PROFILES_NOT_SUPPORTED = 17, "enterpriseProfilesNotSupported"
    ENTERPRISE_RULES_NOT_ALLOWED = 18, "enterpriseRulesNotAllowed"
    ENTERPRISE_PROFILE_NOT_ALLOWED = 19, "enterpriseProfileNotAllowed"
    ENTERPRISE_OID_MISMATCH = 20, "enterpriseOidMismatch"
    ENTERPRISE_RULES_ERROR = 21, "enterpriseRulesError"
    ENTERPRISE_PROFILES_ONLY = 22, "enterpriseProfilesOnly"
    LPR_NOT_SUPPORTED = 23, "lprNotSupported"
    UNKNOWN_TLV_IN_METADATA = 26, "unknownTlvInMetadata"
    INSUFFICIENT_MINIMUM_SECURITY_LEVEL = 31, "insufficientMinimumSecurityLevel"
    SERVER_ADDRESS_ABSENT_IN_ALLOW_LIST = 32, "serverAddressAbsentInEuiccAllowList"
    UNKNOWN_ERROR = 127, "installFailedDueToUnknownError"

    @property
    def temporary(self) -> bool:
        """Whether another attempt can succeed with the same profile (SGP.22 v3.1, 2.5.6.1)."""
        return self in (InstallationError.INSUFFICIENT_MEMORY, InstallationError.INTERRUPTION)


_PE_STATUSES = {
    0: "ok",
    1: "pe-not-supported",
    2: "memory-failure",
    3: "bad-values",
    4: "not-enough-memory",
    5: "invalid-request-format",
    6: "invalid-parameter",
    7: "runtime-not-supported",
    8: "lib-not-supported",
    9: "template-not-supported",
    10: "feature-not-supported",
    11: "pin-code-missing",
    31: "unsupported-profile-version",
}


class ProfileInstallationResult(Frozen):
    """The card's final result of a download (BF37); lpad sends `raw` to the server unchanged.

    On success `error` is None and `aid` is that of the profile's security domain; on failure `error` is
    the reason, and `command` the failed part of the package. `element_status` is the interpreter's report on
    a profile element ("bad-values of element 7"), if there is one. Other data that the card omits is None.
    """

    raw: bytes
    transaction_id: TransactionId | None
    metadata: NotificationMetadata
    smdp_oid: str | None
    aid: Aid | None
    command: BppCommand | None
    error: InstallationError | None
    element_status: str | None

    @classmethod
    def decode(cls, raw: bytes) -> ProfileInstallationResult:
        """Read a ProfileInstallationResult, which must contain success or failure, and a sequence number.

        Other data may be missing or malformed, because it must not hide whether the profile is on the card.

        Raises:
            MalformedError: the bytes are not a ProfileInstallationResult.
        """
        result = der.decode("ProfileInstallationResult", raw, lenient=True)
        signed = result.get("profileInstallationResultData", b"")
        value = der.decode("ProfileInstallationResultData", signed, lenient=True)
        if "finalResult" not in value:
            raise MalformedError("an installation result reports neither success nor failure")
        outcome, final = value["finalResult"]
        succeeded = outcome == "successResult"
        transaction_id, command = value.get("transactionId"), final.get("bppCommandId")
        return cls(
            raw=raw,
            transaction_id=TransactionId(transaction_id) if transaction_id else None,
            metadata=NotificationMetadata.from_value(value.get("notificationMetadata", {})),
            smdp_oid=value.get("smdpOid"),
            aid=aid_of(final.get("aid")),
            command=None if command is None else BppCommand(command),
            error=None if succeeded else InstallationError(final.get("errorReason", _NO_REASON)),
            element_status=_element_status(final.get("simaResponse")),
        )

    @property
    def succeeded(self) -> bool:
        """Whether the profile is on the card."""
        return self.error is None


def _element_status(sima_response: bytes | None) -> str | None:
    """Return the errors that the card's profile interpreter reports; None without readable errors."""
    try:
        value = der.decode("EUICCResponse", sima_response or b"", lenient=True)
    except MalformedError:
        return None
    complaints = [_complaint(status) for status in value.get("peStatus", ()) if status.get("status")]
    if "statusMessage" in value:
        complaints.append(value["statusMessage"])
    return "; ".join(complaints) or None


def _complaint(status: dict[str, Any]) -> str:
    number = status["status"]
    text = _PE_STATUSES.get(number, f"status {number}")
    return f"{text} of element {status['identification']}" if "identification" in status else text
