"""The errors of a refused or declined download, with what lpad knows about its cause."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.base.errors import ConfirmationCodeRequired, Declined, ServerRefused
from lpad.codec.messages.authentication import UNKNOWN_TAC
from lpad.codec.server_status_codes import Remedy
from lpad.lpa.download_interface import Decision

if TYPE_CHECKING:
    from lpad.base.server_address import ServerAddress
    from lpad.codec.messages.authentication import DeviceInfo

_DECLINED = {
    Decision.REJECT: "the profile was offered and rejected; the operator must issue another order",
    Decision.POSTPONE: "the profile was offered and postponed; the same activation code can be used later",
    Decision.TIMEOUT: "the profile was offered, but no decision came in time; start the download again",
}

_NO_PROFILE = (("8.2.6", "3.8"), ("8.2.6", "2.2"), ("8.1.1", "3.8"))
"""A server's codes if it has no profile for the card's EID and the request has no matching ID."""


def of_eid(refused: ServerRefused, address: ServerAddress) -> ServerRefused:
    """Return the error for a refused request without a matching ID; it says if no profile waits."""
    codes = refused.details["subject_code"], refused.details["reason_code"]
    if codes not in _NO_PROFILE:
        return refused
    message = refused.details["message"]
    said = f' (the server says: "{message}")' if message else ""
    return ServerRefused(
        f"{refused.details['function']} was refused with {'/'.join(codes)}: the server {address} has no"
        f" profile for this card's EID{said}; ask the operator to reserve one there for the EID",
        retryable=refused.retryable,
        **refused.details,
    )


def of_default_smdp(refused: ServerRefused) -> ServerRefused:
    """Return the default SM-DP+'s refusal; if no profile waits, it names a command to change the address."""
    codes = refused.details["subject_code"], refused.details["reason_code"]
    if codes not in _NO_PROFILE:
        return refused
    return ServerRefused(
        f"{refused.sentence}; it is the default SM-DP+: 'lpactl default-smdp ADDRESS' sets another one",
        retryable=refused.retryable,
        **refused.details,
    )


def of_device(refused: ServerRefused, device: DeviceInfo) -> ServerRefused:
    """Return a refusal of the device or the order; a permanent refusal also says if lpad knows no IMEI."""
    if device.tac != UNKNOWN_TAC or refused.details["remedy"] != Remedy.PERMANENT:
        return refused
    return ServerRefused(
        f"{refused.sentence}; lpad knows no IMEI, and some operators refuse the TAC 00000000: set 'imei' or"
        " 'tac' of the card in the settings",
        retryable=refused.retryable,
        **refused.details,
    )


def declined(decision: Decision) -> Declined:
    """Return the error for any decision except ACCEPT."""
    return Declined(_DECLINED[decision], decision=decision.value)


def code_required() -> ConfirmationCodeRequired:
    """Return the error for a download that lacks a required confirmation code."""
    return ConfirmationCodeRequired(
        "the operator requires a confirmation code; start the download again with the code that came "
        "with the activation code"
    )
