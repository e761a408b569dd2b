"""What a card's refusal means and what the reader can do about it: one sentence per reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.base.errors import CardRefused
from lpad.codec import es10

if TYPE_CHECKING:
    from lpad.codec.es10 import Intent
    from lpad.codec.messages.installation import ProfileInstallationResult
    from lpad.codec.messages.result import ResultCode

_REPORT = "report it to the operator"
_NO_PROFILE = "the card holds no such profile; 'lpactl profiles' lists those that it holds"
_SESSION_LOST = "the card has forgotten the session, as after a reset; start the download again"

_SENTENCES = {
    # Changes of profiles, ES10c
    "iccidOrAidNotFound": _NO_PROFILE,
    "iccidNotFound": _NO_PROFILE,
    "profileNotInDisabledState": "the profile is enabled; disable it, or enable another one, first",
    "profileNotInEnabledState": "the profile is not enabled, so there is nothing to disable",
    "disallowedByPolicy": "a policy rule of the operator forbids it (PPR1: no disabling, PPR2: no deletion);"
    " only the operator can lift the rule",
    "wrongProfileReenabling": "a test profile is enabled, and only another test profile or the one that was"
    " enabled before it may take its place; disable the test profile first",
    "catBusy": "the card is in a session of its own with the modem; try again in some seconds, and restart"
    " the modem if it stays so",
    "profileChangeOngoing": "a switch of profiles is not finished; let the modem restart the card, then try"
    " again",
    "incorrectInputValues": "the card does not take the values that it was given",
    "nothingToDelete": "there is nothing of this kind on the card",
    # AuthenticateServer and PrepareDownload, ES10b
    "invalidCertificate": f"the card does not accept the server's certificate; {_REPORT}",
    "invalidSignature": f"the server's signature is wrong; {_REPORT}",
    "unsupportedCurve": f"the card does not support the curve of the server's keys; {_REPORT}",
    "noSessionContext": _SESSION_LOST,
    "invalidOid": "the server's certificate is for another role than SM-DP+ or SM-DS; check the address, then"
    f" {_REPORT}",
    "euiccChallengeMismatch": f"the server answered another session than this; try again, then {_REPORT}",
    "ciPKUnknown": "the card and the server have no certificate issuer in common, as with a test card and a"
    " live server; use a profile that is made for this card",
    "invalidTransactionId": "the card and the server disagree about which session this is; start the download"
    " again",
    # LoadBoundProfilePackage, ES10b
    "unsupportedCrtValues": f"the profile was made for another kind of card; {_REPORT}",
    "unsupportedRemoteOperationType": f"the profile was made for another kind of card; {_REPORT}",
    "unsupportedProfileClass": "the card takes no profiles of this class; test profiles need a test card",
    "scp03tStructureError": f"the profile was built wrong, or damaged on its way; try again, then {_REPORT}",
    "scp03tSecurityError": f"the profile was sealed wrong, or damaged on its way; try again, then {_REPORT}",
    "installFailedDueToIccidAlreadyExistsOnEuicc": "the card holds a profile with this ICCID already;"
    " 'lpactl profiles' lists it",
    "installFailedDueToInsufficientMemoryForProfile": "the card's memory is full; delete a profile that is no"
    " longer needed, then try again",
    "installFailedDueToInterruption": "the card was interrupted, as by a reset or a power cut; try again",
    "installFailedDueToPEProcessingError": f"the card can't process a part of the profile; {_REPORT}",
    "installFailedDueToDataMismatch": f"the profile contradicts its own metadata; {_REPORT}",
    "testProfileInstallFailedDueToInvalidNaaKey": f"a test profile must have test keys; {_REPORT}",
    "pprNotAllowed": f"the card does not let this operator set these policy rules; {_REPORT}",
    "enterpriseProfilesNotSupported": f"the card takes no enterprise profiles; {_REPORT}",
    "serverAddressAbsentInEuiccAllowList": "the card takes profiles from certain servers only, not from this"
    " one; ask the card's maker",
    # several functions
    "undefinedError": "the card gives no reason; restart the modem, then try again",
    "installFailedDueToUnknownError": f"the card gives no reason; try again, then {_REPORT}",
}
_ENABLED_ALREADY = "the profile is not disabled: it is enabled already, or a switch is not finished"
_OF_ONE_FUNCTION = {(es10.ENABLE_PROFILE, "profileNotInDisabledState"): _ENABLED_ALREADY}
_RETRYABLE = frozenset({"catBusy", "profileChangeOngoing", "installFailedDueToInterruption"})


def refused(function: Intent, code: ResultCode) -> CardRefused:
    """Return the error for an ES10 function's result code.

    Args:
        function: what was asked for.
        code: any but success.
    """
    return CardRefused(
        f"{function} refused ({code.reason}, {code:d}): {_sentence(function, code)}",
        retryable=code.reason in _RETRYABLE,
        function=str(function),
        code=code.value,
        reason=code.reason,
    )


def installation_refused(result: ProfileInstallationResult) -> CardRefused:
    """Return the error for a ProfileInstallationResult that reports a failure.

    Its details also hold `command`, the part of the package where the card stopped, if it says so.
    """
    function = es10.LOAD_BOUND_PROFILE_PACKAGE
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
    return known or f"the reason is one that only later or other specifications name; {_REPORT}"
