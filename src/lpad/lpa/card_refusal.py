"""The meaning of a card's refusal and its remedy: one sentence per reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.base.errors import CardRefused
from lpad.codec import es10_intents

if TYPE_CHECKING:
    from lpad.codec.es10_intents import Intent
    from lpad.codec.messages.installation_result import ProfileInstallationResult
    from lpad.codec.messages.result_code import ResultCode

_REPORT = "report it to the operator"
_NO_PROFILE = "the card contains no such profile; 'lpactl profiles' lists its profiles"
_SESSION_LOST = "the card has forgotten the session, for example after a reset; start the download again"

_SENTENCES = {
    # Changes of profiles, ES10c
    "iccidOrAidNotFound": _NO_PROFILE,
    "iccidNotFound": _NO_PROFILE,
    "profileNotInDisabledState": "the profile is enabled; disable it, or enable another one, first",
    "profileNotInEnabledState": "the profile is not enabled, so there is nothing to disable",
    "disallowedByPolicy": "a policy rule of the operator forbids this (PPR1: no disabling, PPR2: no"
    " deletion); only the operator can lift the rule",
    "wrongProfileReenabling": "a test profile is enabled; only another test profile, or the profile enabled"
    " before it, may replace it; disable the test profile first",
    "catBusy": "the card is in a session with the modem; try again in a few seconds, and restart the modem if"
    " this persists",
    "profileChangeOngoing": "a profile switch is not finished; restart the modem, then try again",
    "incorrectInputValues": "the card does not accept the given values",
    "nothingToDelete": "the card contains no such entry",
    # AuthenticateServer and PrepareDownload, ES10b
    "invalidCertificate": f"the card does not accept the server's certificate; {_REPORT}",
    "invalidSignature": f"the server's signature is wrong; {_REPORT}",
    "unsupportedCurve": f"the card does not support the curve of the server's keys; {_REPORT}",
    "noSessionContext": _SESSION_LOST,
    "invalidOid": "the server's certificate is for a role other than SM-DP+ or SM-DS; check the address, then"
    f" {_REPORT}",
    "euiccChallengeMismatch": f"the server's answer belongs to another session; try again, then {_REPORT}",
    "ciPKUnknown": "the card and the server have no certificate issuer in common, as with a test card and a"
    " live server; use a profile intended for this card",
    "invalidTransactionId": "the card and the server disagree about which session this is; start the download"
    " again",
    # LoadBoundProfilePackage, ES10b
    "unsupportedCrtValues": f"the profile is for another kind of card; {_REPORT}",
    "unsupportedRemoteOperationType": f"the profile is for another kind of card; {_REPORT}",
    "unsupportedProfileClass": "the card accepts no profiles of this class; test profiles need a test card",
    "scp03tStructureError": f"the profile is malformed, or was damaged in transit; try again, then {_REPORT}",
    "scp03tSecurityError": (
        f"the profile is encrypted incorrectly, or was damaged in transit; try again, then {_REPORT}"
    ),
    "installFailedDueToIccidAlreadyExistsOnEuicc": "the card already contains a profile with this ICCID;"
    " 'lpactl profiles' lists it",
    "installFailedDueToInsufficientMemoryForProfile": "the card's memory is full; delete a profile that is no"
    " longer needed, then try again",
    "installFailedDueToInterruption": (
        "the card was interrupted, for example by a reset or a power cut; try again"
    ),
    "installFailedDueToPEProcessingError": f"the card cannot process a part of the profile; {_REPORT}",
    "installFailedDueToDataMismatch": f"the profile contradicts its own metadata; {_REPORT}",
    "testProfileInstallFailedDueToInvalidNaaKey": f"a test profile must have test keys; {_REPORT}",
    "pprNotAllowed": f"the card does not allow this operator to set these policy rules; {_REPORT}",
    "enterpriseProfilesNotSupported": f"the card accepts no enterprise profiles; {_REPORT}",
    "serverAddressAbsentInEuiccAllowList": "the card accepts profiles from certain servers only, not from"
    " this one; ask the card's maker",
    # several functions
    "undefinedError": "the card gives no reason; restart the modem, then try again",
    "installFailedDueToUnknownError": f"the card gives no reason; try again, then {_REPORT}",
}
_ENABLED_ALREADY = (
    "the profile is not in the disabled state: it is already enabled, or a profile switch is not finished"
)
_OF_ONE_FUNCTION = {(es10_intents.ENABLE_PROFILE, "profileNotInDisabledState"): _ENABLED_ALREADY}
_RETRYABLE = frozenset({"catBusy", "profileChangeOngoing", "installFailedDueToInterruption"})


def refused(function: Intent, code: ResultCode) -> CardRefused:
    """Return the error for an ES10 function's result code."""
    return CardRefused(
        f"{function} refused ({code.reason}, {code:d}): {_sentence(function, code)}",
        retryable=code.reason in _RETRYABLE,
        function=str(function),
        code=code.value,
        reason=code.reason,
    )


def installation_refused(result: ProfileInstallationResult) -> CardRefused:
    """Return the error for a ProfileInstallationResult that reports a failure.

    If the card reports the part of the package where it stopped, the error's details contain the part as
    `command`.
    """
    function = es10_intents.LOAD_BOUND_PROFILE_PACKAGE
    code, command = result.error, result.command
    assert code is not None, "the profile was installed"
    where = {} if command is None else {"command": command.reason}
    at = f" at {command.reason}" if command is not None else ""
    said = f" ({result.element_status})" if result.element_status else ""
    return CardRefused(
        f"{function} refused{at} ({code.reason}, {code:d}){said}: {_sentence(function, code)}",
        retryable=code.reason in _RETRYABLE,
        function=str(function),
        code=code.value,
        reason=code.reason,
        **where,
    )


def _sentence(function: Intent, code: ResultCode) -> str:
    known = _OF_ONE_FUNCTION.get((function, code.reason)) or _SENTENCES.get(code.reason)
    return known or f"only later or other specifications define this reason; {_REPORT}"
