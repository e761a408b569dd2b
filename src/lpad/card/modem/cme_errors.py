"""The meanings of +CME ERROR, as errors (3GPP TS 27.007, 9.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from lpad.base.errors import CardBusy, CardError, CardUnreachable
from lpad.base.untrusted_number import whole_number
from lpad.card.port.link_refused import LinkRefused

if TYPE_CHECKING:
    from lpad.protocol.at_dialogue import AtAnswer

_PHONE_FAILURE = "0"


class _Refusal(Struct, frozen=True):
    error: type[CardError]
    words: str
    remedy: str
    retryable: bool | None = None
    lock: str | None = None
    """The lock that must be opened before the modem uses the SIM; None: the reason is not a lock."""


def _locked(words: str, lock: str, remedy: str) -> _Refusal:
    return _Refusal(CardUnreachable, words, remedy, lock=lock)


_ENTER_PIN = (
    "enter the PIN of the enabled profile at the modem, as with 'mmcli --pin', 'mbimcli --enter-pin' or"
    " AT+CPIN, or enable another profile"
)
_ENTER_PUK = "enter the PUK of the enabled profile and a new PIN at the modem, or enable another profile"
_UNLOCK = (
    "the modem accepts the SIM of one operator only: have its vendor unlock it, or enable another profile"
)

# Unlisted codes and a plain ERROR become LinkRefused, and so do listed codes with which a modem refuses the
# command itself, perhaps because an APDU is too long.
_REFUSALS = {
    _PHONE_FAILURE: _Refusal(
        LinkRefused,
        "phone failure",
        "a modem that loses APDUs or its SIM answers this way; restart the modem with 'lpactl restart-modem'",
    ),
    "3": _Refusal(
        LinkRefused,
        "operation not allowed",
        "the firmware blocks the command; ask the vendor for the setting that allows it, or use another link",
        retryable=False,
    ),
    "4": _Refusal(
        LinkRefused,
        "operation not supported",
        "the modem lacks the command; use another link",
        retryable=False,
    ),
    "5": _locked("PH-SIM PIN required", "PH-SIM PIN", _UNLOCK),
    "6": _locked("PH-FSIM PIN required", "PH-FSIM PIN", _UNLOCK),
    "7": _locked("PH-FSIM PUK required", "PH-FSIM PUK", _UNLOCK),
    "10": _Refusal(CardUnreachable, "SIM not inserted", "check the slot, and which slot is active"),
    "11": _locked("SIM PIN required", "SIM PIN", _ENTER_PIN),
    "12": _locked("SIM PUK required", "SIM PUK", _ENTER_PUK),
    "13": _Refusal(CardUnreachable, "SIM failure", "check the card's contacts; a modem reset may help"),
    "14": _Refusal(CardBusy, "SIM busy", "the SIM is starting up or in use; try again in a few seconds"),
    "15": _Refusal(CardUnreachable, "SIM wrong", "check which card is in the slot"),
    "16": _locked("incorrect password", "SIM PIN", _ENTER_PIN),
    "17": _locked("SIM PIN2 required", "SIM PIN2", _ENTER_PIN),
    "18": _locked("SIM PUK2 required", "SIM PUK2", _ENTER_PUK),
    "20": _Refusal(LinkRefused, "memory full", "the modem is out of memory; reset it"),
    "22": _Refusal(CardUnreachable, "not found", "the modem knows no such object"),
    "40": _locked("network personalization PIN required", "PH-NET PIN", _UNLOCK),
    "41": _locked("network personalization PUK required", "PH-NET PUK", _UNLOCK),
    "42": _locked("network subset personalization PIN required", "PH-NETSUB PIN", _UNLOCK),
    "43": _locked("network subset personalization PUK required", "PH-NETSUB PUK", _UNLOCK),
    "44": _locked("service provider personalization PIN required", "PH-SP PIN", _UNLOCK),
    "45": _locked("service provider personalization PUK required", "PH-SP PUK", _UNLOCK),
    "46": _locked("corporate personalization PIN required", "PH-CORP PIN", _UNLOCK),
    "47": _locked("corporate personalization PUK required", "PH-CORP PUK", _UNLOCK),
    "50": _Refusal(
        LinkRefused, "incorrect parameters", "the APDU may be too long for the modem; try a smaller block"
    ),
    "100": _Refusal(LinkRefused, "unknown", "the modem gives no reason; a modem reset may help"),
}
_BY_WORDS = {refusal.words.lower(): code for code, refusal in _REFUSALS.items()} | {"unknown error": "100"}
_BY_LOCK = {refusal.lock: refusal for refusal in reversed(_REFUSALS.values()) if refusal.lock is not None}


def refusal_of(answer: AtAnswer, *, attempted: str) -> CardError:
    """Return the error for an answer that is not OK.

    The details contain `modem_error`, the modem's answer, and `modem_lock` if the modem requires a PIN or
    another code first.

    Args:
        attempted: the command without parameters, and the port.
    """
    refusal = _REFUSALS.get(_code(answer.error or ""))
    if refusal is None:
        return LinkRefused(
            f"{attempted}: the modem answered {answer.final}; it may not support the command, or may contain"
            " no usable SIM",
            modem_error=answer.final,
        )
    error = refusal.error(
        f"{attempted}: the modem answered '{refusal.words}'; {refusal.remedy}",
        retryable=refusal.retryable,
        modem_error=answer.final,
    )
    if refusal.lock is not None:
        error.details["modem_lock"] = refusal.lock
    return error


def is_phone_failure(error: CardError) -> bool:
    """Return whether the modem answered '+CME ERROR: 0', as some modems do until they are restarted."""
    told = str(error.details.get("modem_error", ""))
    _, colon, what = told.partition(":")
    return bool(colon) and _code(what.strip().strip('"')) == _PHONE_FAILURE


def lock_of(error: CardError) -> str | None:
    """Return the lock that an error reports, such as SIM PIN; None if the error reports none."""
    lock = error.details.get("modem_lock")
    return None if lock is None else str(lock)


def how_to_unlock(lock: str) -> str:
    """Return the instruction for a user to open a lock."""
    refusal = _BY_LOCK.get(lock)
    return _UNLOCK if refusal is None else refusal.remedy


def _code(told: str) -> str:
    number = whole_number(told)  # some modems write 010 for 10
    return _BY_WORDS.get(told.lower(), told) if number is None else str(number)
