"""The status codes of ES9+ and ES11: the meaning of a refusal, and its remedy.

A code is a pair of dotted numbers, subject and reason (SGP.22 v2.5, 5.2.6). Codes stay strings everywhere: as
numbers, reason 4.10 (time to live expired) would equal reason 4.1.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Remedy(StrEnum):
    """The kind of reaction that a refusal requires."""

    RETRY = "retry"  # the same request can succeed later
    RESTART_SESSION = "restart-session"  # a new session from the start can succeed immediately
    CONFIRMATION_CODE = "confirmation-code"  # a (different) confirmation code is needed
    PERMANENT = "permanent"  # no repetition helps; something has to be changed first


class Meaning(Struct, frozen=True):
    """A refusal in words: `sentence` gives the server's reason, `advice` the remedy."""

    sentence: str
    advice: str
    remedy: Remedy


SUBJECTS = {
    "1": "the request",
    "1.1": "the requester",
    "1.2": "the function provider",
    "1.3": "the protocol",
    "1.3.1": "the protocol's format",
    "1.3.2": "the protocol's version",
    "1.6": "the function",
    "8": "remote provisioning",
    "8.1": "the eUICC",
    "8.1.1": "the EID",
    "8.1.2": "the EUM certificate",
    "8.1.3": "the eUICC certificate",
    "8.1.4": "the EID, outside the range of its EUM,",
    "8.2": "the profile",
    "8.2.1": "the profile's ICCID",
    "8.2.5": "the profile type",
    "8.2.6": "the matching ID",
    "8.2.7": "the confirmation code",
    "8.2.8": "the profile policy rules",
    "8.2.9": "the profile metadata",
    "8.2.10": "the bound profile package",
    "8.2.11": "the managing SM-DP+",
    "8.2.12": "the profile owner",
    "8.2.13": "the enterprise configuration",
    "8.2.14": "the LPA proxy",
    "8.8": "the SM-DP+",
    "8.8.1": "the SM-DP+ address",
    "8.8.2": "the SM-DP+ security configuration",
    "8.8.3": "the specification version at the SM-DP+",
    "8.8.4": "the SM-DP+ certificate",
    "8.8.5": "the download order",
    "8.8.6": "the remote profile management order",
    "8.9": "the SM-DS",
    "8.9.1": "the SM-DS address",
    "8.9.2": "the SM-DS security configuration",
    "8.9.3": "the specification version at the SM-DS",
    "8.9.4": "the SM-DS certificate",
    "8.9.5": "the event record",
    "8.9.6": "the ECID",
    "8.9.7": "the push service",
    "8.10": "the RSP operation",
    "8.10.1": "the transaction ID",
    "8.10.2": "the remote profile management script",
    "8.10.3": "the device change",
    "8.10.4": "the event check",
    "8.10.5": "the device change session",
    "8.10.6": "the push registration",
    "8.11": "the eSIM CA",
    "8.11.1": "the eSIM CA's public key",
    "8.12": "the LPA",
}

REASONS = {
    "1.1": "is unknown",
    "1.2": "is not allowed",
    "2.1": "is invalid",
    "2.2": "lacks a mandatory element",
    "2.3": "lacks a conditional element",
    "3.1": "is not supported",
    "3.3": "is already in use",
    "3.4": "names an invalid destination",
    "3.5": "cannot take this step in its present state",
    "3.6": "has related objects",
    "3.7": "is unavailable",
    "3.8": "is refused",
    "3.9": "is unknown",
    "3.10": "has a wrong association",
    "3.11": "has changed",
    "3.12": "does not match",
    "4.2": "met an error during execution",
    "4.3": "stopped on a warning",
    "4.4": "is busy",
    "4.8": "has too little memory",
    "4.10": "has expired",
    "5.1": "cannot be reached",
    "5.2": "did not answer in time",
    "5.3": "has expired",
    "5.4": "did not answer",
    "6.1": "failed verification",
    "6.3": "has expired",
    "6.4": "has used up its attempts",
}

# Temporary reasons, for pairs that `PAIRS` does not list.
_PASSING_REASONS = frozenset({"4.4", "5.1", "5.2", "5.4"})

_NEW_CODE = "ask the operator for a new activation code"
_TELL_OPERATOR = "give the operator the EID and this status code"
_LATER = "try again later"
_AGAIN = "start the download again"
_OTHER_CARD = "the card cannot be used with this server; ask the operator for a card that works with it"
_REPORT = "report this with the log: the server considers lpad's request malformed"

_R, _S, _C, _P = Remedy.RETRY, Remedy.RESTART_SESSION, Remedy.CONFIRMATION_CODE, Remedy.PERMANENT

PAIRS: dict[tuple[str, str], Meaning] = {
    # InitiateAuthentication
    ("8.8.1", "3.8"): Meaning(
        "the server says that this is not its address",
        "check the address against the activation code or the settings",
        _P,
    ),
    ("8.8", "4.2"): Meaning("the server does not support this eUICC", _OTHER_CARD, _P),
    ("8.8.2", "3.1"): Meaning(
        "the server trusts none of the eSIM CAs that the card can sign under", _OTHER_CARD, _P
    ),
    ("8.8.3", "3.1"): Meaning(
        "the server does not support the card's specification version", _OTHER_CARD, _P
    ),
    ("8.8.4", "3.7"): Meaning(
        "the server has no certificate under an eSIM CA that the card trusts", _OTHER_CARD, _P
    ),
    ("8.9.1", "3.8"): Meaning(
        "the SM-DS says that this is not its address", "check the address against the settings", _P
    ),
    ("8.9.2", "3.1"): Meaning(
        "the SM-DS trusts none of the eSIM CAs that the card can sign under", _OTHER_CARD, _P
    ),
    ("8.9.3", "3.1"): Meaning("the SM-DS does not support the card's specification version", _OTHER_CARD, _P),
    ("8.9.4", "3.7"): Meaning(
        "the SM-DS has no certificate under an eSIM CA that the card trusts", _OTHER_CARD, _P
    ),
    # AuthenticateClient
    ("8.1.2", "6.1"): Meaning("the card maker's certificate is invalid", _OTHER_CARD, _P),
    ("8.1.2", "6.3"): Meaning("the card maker's certificate has expired", _OTHER_CARD, _P),
    ("8.1.3", "6.1"): Meaning("the card's certificate is invalid", _OTHER_CARD, _P),
    ("8.1.3", "6.3"): Meaning("the card's certificate has expired", _OTHER_CARD, _P),
    ("8.1", "6.1"): Meaning("the card's signature, or the signed data, is wrong", _AGAIN, _S),
    ("8.1", "4.8"): Meaning(
        "the card has too little memory for this profile",
        "delete a profile that is no longer needed, then try again",
        _P,
    ),
    ("8.11.1", "3.9"): Meaning("the server does not know the card's eSIM CA", _OTHER_CARD, _P),
    ("8.10.1", "3.9"): Meaning("the server no longer has this session", _AGAIN, _S),
    ("8.2", "1.2"): Meaning("the operator has not released the profile yet", _LATER, _R),
    ("8.2", "3.7"): Meaning("the profile is not available at the moment", _LATER, _R),
    ("8.2.6", "3.8"): Meaning(
        "the matching ID is unknown, or was used already",
        f"check the activation code for typing errors; if it was used before, {_NEW_CODE}",
        _P,
    ),
    ("8.1.1", "3.8"): Meaning(
        "the profile is reserved for another EID, or no profile is reserved for this one",
        "compare the card's EID with the operator's record",
        _P,
    ),
    ("8.1.4", "6.1"): Meaning("the EID does not belong to the maker of the card", _OTHER_CARD, _P),
    ("8.2.5", "4.3"): Meaning("no profile is eligible for this device and card", _TELL_OPERATOR, _P),
    ("8.8.5", "4.10"): Meaning("the download order has expired", _NEW_CODE, _P),
    ("8.8.5", "6.4"): Meaning("the download was attempted too often", _NEW_CODE, _P),
    ("8.9.5", "3.9"): Meaning("the SM-DS has no such event", "no profile waits for this card", _P),
    # GetBoundProfilePackage
    ("8.2.7", "2.2"): Meaning(
        "a confirmation code is needed", "enter the code that came with the activation code", _C
    ),
    ("8.2.7", "3.8"): Meaning(
        "the confirmation code is wrong", "give the right code; attempts are limited", _C
    ),
    ("8.2.7", "6.4"): Meaning("wrong confirmation codes were given too often", _NEW_CODE, _P),
    # Errors of operators' systems (ES2+, ES12) that are sometimes passed on to the LPA
    ("8.1.1", "2.2"): Meaning("the order contains no EID", _TELL_OPERATOR, _P),
    ("8.1.1", "3.9"): Meaning("the EID is unknown", _TELL_OPERATOR, _P),
    ("8.1.1", "3.10"): Meaning("the order belongs to another EID", _TELL_OPERATOR, _P),
    ("8.2.1", "1.2"): Meaning("the ICCID is not allowed", _TELL_OPERATOR, _P),
    ("8.2.1", "2.2"): Meaning("the order lacks an ICCID", _TELL_OPERATOR, _P),
    ("8.2.1", "2.3"): Meaning("the order lacks an ICCID or a profile type", _TELL_OPERATOR, _P),
    ("8.2.1", "3.3"): Meaning("the ICCID is in use already", _TELL_OPERATOR, _P),
    ("8.2.1", "3.5"): Meaning("the profile is in a state that does not allow this", _TELL_OPERATOR, _P),
    ("8.2.1", "3.9"): Meaning("the ICCID is unknown", _TELL_OPERATOR, _P),
    ("8.2.1", "3.10"): Meaning("the ICCID belongs to another order", _TELL_OPERATOR, _P),
    ("8.2.5", "1.2"): Meaning("the profile type is not allowed", _TELL_OPERATOR, _P),
    ("8.2.5", "3.7"): Meaning("no profile of this type is left at the moment", _LATER, _R),
    ("8.2.5", "3.8"): Meaning("the profile type is refused", _TELL_OPERATOR, _P),
    ("8.2.5", "3.9"): Meaning("the profile type is unknown", _TELL_OPERATOR, _P),
    ("8.2.6", "2.1"): Meaning("the matching ID is malformed", "check the activation code", _P),
    ("8.2.6", "2.2"): Meaning("a matching ID is needed", "download with an activation code", _P),
    ("8.2.6", "3.3"): Meaning("the matching ID is in use already", _NEW_CODE, _P),
    ("8.2.6", "3.10"): Meaning("the matching ID belongs to another order", _NEW_CODE, _P),
    ("8.2.9", "2.1"): Meaning("the profile metadata is invalid", _TELL_OPERATOR, _P),
    ("8.2.9", "2.3"): Meaning("the profile metadata is incomplete", _TELL_OPERATOR, _P),
    ("8.2.12", "3.10"): Meaning("the profile belongs to another operator", _TELL_OPERATOR, _P),
    ("8.8", "3.10"): Meaning("the order waits at another SM-DP+", _TELL_OPERATOR, _P),
    ("8.9", "4.2"): Meaning("the server could not register with the SM-DS", _LATER, _R),
    ("8.9", "5.1"): Meaning("the server could not reach the SM-DS", _LATER, _R),
    ("8.9.5", "3.3"): Meaning("the SM-DS already has this event", _TELL_OPERATOR, _P),
    # Results of an order whose download was cancelled
    ("8.8.5", "3.8"): Meaning("the download order was refused", _NEW_CODE, _P),
    ("8.2.8", "1.2"): Meaning("the profile's policy rules are not allowed", _TELL_OPERATOR, _P),
    ("8.2.9", "3.8"): Meaning("the profile's name or operator is missing", _TELL_OPERATOR, _P),
    ("8.2.9", "3.11"): Meaning(
        "the metadata differs from the metadata that the server sent before", _TELL_OPERATOR, _P
    ),
    ("8.2.10", "4.2"): Meaning("the card could not load the profile", _TELL_OPERATOR, _P),
    ("8.2.13", "1.2"): Meaning("the enterprise rules are not allowed", _TELL_OPERATOR, _P),
    ("8.2.13", "3.1"): Meaning("enterprise profiles are not supported", _TELL_OPERATOR, _P),
    ("8.2.13", "3.8"): Meaning("the enterprise configuration is refused", _TELL_OPERATOR, _P),
    ("8.2.13", "3.12"): Meaning("the enterprise's OID does not match", _TELL_OPERATOR, _P),
    ("8.2.14", "3.1"): Meaning("the LPA proxy is not supported", _TELL_OPERATOR, _P),
    ("8.8.6", "2.1"): Meaning("the remote management package is invalid", _TELL_OPERATOR, _P),
    ("8.8.6", "3.8"): Meaning("the remote management order is refused", _TELL_OPERATOR, _P),
    ("8.8.6", "4.2"): Meaning("the remote management order could not be carried out", _TELL_OPERATOR, _P),
    ("8", "4.2"): Meaning("the download failed for an unknown reason", _AGAIN, _R),
    # Any function
    ("1.6", "2.1"): Meaning("the function is invalid", _REPORT, _P),
    ("1.6", "3.7"): Meaning("the function is unavailable at the moment", _LATER, _R),
}


def meaning_of(subject: str, reason: str) -> Meaning:
    """Return the meaning of a pair of codes; for an unlisted pair, a meaning composed from the two codes.

    Args:
        subject: dotted subject code such as "8.2.6"; empty if the server gave none.
        reason: dotted reason code such as "3.8"; empty if the server gave none.
    """
    known = PAIRS.get((subject, reason))
    if known is not None:
        return known
    if not subject and not reason:
        return Meaning("the server gave no reason", f"{_LATER}, or ask the operator", Remedy.PERMANENT)
    about = _nearest(SUBJECTS, subject) or "something"
    fault = REASONS.get(reason, "is at fault")
    if reason in _PASSING_REASONS:
        return Meaning(f"{about} {fault}", _LATER, Remedy.RETRY)
    advice = _REPORT if subject.partition(".")[0] == "1" else _TELL_OPERATOR
    return Meaning(f"{about} {fault}", advice, Remedy.PERMANENT)


def _nearest(table: dict[str, str], code: str) -> str | None:
    """Return a code's text, or that of the nearest code that contains it; None if neither exists."""
    while code:
        if code in table:
            return table[code]
        code = code.rpartition(".")[0]
    return None
