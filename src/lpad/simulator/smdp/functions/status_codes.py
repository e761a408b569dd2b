"""The server's refusals: subject and reason codes of SGP.22 v2.5, 5.2.6."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Status:
    """A pair of dotted codes with its message. Codes are text: 4.10 is not 4.1."""

    subject: str
    reason: str
    message: str


class Refusal(Exception):
    """The function ends with the status Failed."""

    def __init__(self, status: Status, *, subject_identifier: str | None = None) -> None:
        """Create the refusal with the status code; `subject_identifier` names the affected object."""
        super().__init__(f"{status.subject}/{status.reason} {status.message}")
        self.status = status
        self.subject_identifier = subject_identifier


INVALID_REQUEST = Status("1.6", "2.1", "The request is malformed")

ADDRESS_REFUSED = Status("8.8.1", "3.8", "The address is not this SM-DP+'s")
SVN_UNSUPPORTED = Status("8.8.3", "3.1", "The eUICC's specification version is not supported")
SIGNING_CI_UNSUPPORTED = Status("8.8.2", "3.1", "None of the eUICC's signing CIs is supported")
NO_SERVER_CERTIFICATE = Status("8.8.4", "3.7", "No SM-DP+ certificate of a CI that the eUICC verifies with")

UNKNOWN_TRANSACTION = Status("8.10.1", "3.9", "Unknown transaction ID")
UNKNOWN_CI = Status("8.11.1", "3.9", "The EUM certificate is not of the CI that was chosen")
EUM_INVALID = Status("8.1.2", "6.1", "The EUM certificate is invalid")
EUM_EXPIRED = Status("8.1.2", "6.3", "The EUM certificate has expired")
EUICC_INVALID = Status("8.1.3", "6.1", "The eUICC certificate is invalid")
EUICC_EXPIRED = Status("8.1.3", "6.3", "The eUICC certificate has expired")
EUICC_UNVERIFIED = Status("8.1", "6.1", "The eUICC's signature or the server challenge is wrong")

MATCHING_ID_REFUSED = Status("8.2.6", "3.8", "Unknown or used matching ID")
EID_REFUSED = Status("8.1.1", "3.8", "The order is for another eUICC")
ORDER_EXPIRED = Status("8.8.5", "4.10", "The download order has expired")
ATTEMPTS_EXCEEDED = Status("8.8.5", "6.4", "The order has been tried too often")
NOT_RELEASED = Status("8.2", "1.2", "The profile is not released yet")
INSUFFICIENT_MEMORY = Status("8.1", "4.8", "The profile does not fit into the eUICC")
NOT_ELIGIBLE = Status("8.2.5", "4.3", "No profile for this device or eUICC")

CODE_MISSING = Status("8.2.7", "2.2", "A confirmation code is required")
CODE_REFUSED = Status("8.2.7", "3.8", "Wrong confirmation code")
CODE_EXCEEDED = Status("8.2.7", "6.4", "Too many wrong confirmation codes")

OTHER_SERVER = Status("8.8", "3.10", "The cancellation is for another SM-DP+")
