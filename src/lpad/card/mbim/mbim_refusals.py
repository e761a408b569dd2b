"""The statuses with which an MBIM function refuses a command, as errors with a remedy."""

from __future__ import annotations

from dataclasses import dataclass

from lpad.base.errors import CardBusy, CardError, CardUnreachable
from lpad.card.port.link_refused import LinkRefused
from lpad.codec.mbim.statuses import Status, status_name


@dataclass(frozen=True, slots=True)
class _Refusal:
    error: type[CardError]
    remedy: str
    retryable: bool | None = None
    lock: str | None = None


_WAIT = _Refusal(CardBusy, "the modem is starting up or its SIM is in use; try again in a few seconds")
_REFUSALS: dict[int, _Refusal] = {
    Status.BUSY: _WAIT,
    Status.STK_BUSY: _WAIT,
    Status.NOT_INITIALIZED: _WAIT,
    Status.SIM_NOT_INSERTED: _Refusal(CardUnreachable, "check the slot, and which slot is active"),
    Status.BAD_SIM: _Refusal(CardUnreachable, "check the card's contacts; a modem reset may help"),
    Status.PIN_REQUIRED: _Refusal(
        CardUnreachable,
        "enter the PIN in the modem, or disable it on the card",
        retryable=False,
        lock="SIM PIN",
    ),
    Status.RADIO_POWER_OFF: _Refusal(CardUnreachable, "switch the modem's radio on"),
    Status.INVALID_LOGICAL_CHANNEL: _Refusal(
        CardUnreachable, "the card restarted and the channel was lost; try again"
    ),
    Status.PARAMETER_TOO_LONG: _Refusal(
        LinkRefused, "the APDU is too long for the modem; try a smaller block"
    ),
    Status.NO_DEVICE_SUPPORT: _Refusal(
        LinkRefused, "this modem's MBIM port does not carry commands for the card; use its AT port"
    ),
}


def refusal_of(status: int, *, attempted: str) -> CardError:
    """Return the error for a status other than success; the details contain `modem_error`.

    Args:
        attempted: the command and the port.
    """
    words = status_name(status)
    refusal = _REFUSALS.get(status, _Refusal(LinkRefused, "a modem reset may help"))
    error = refusal.error(
        f"{attempted}: the modem answered '{words}'; {refusal.remedy}",
        retryable=refusal.retryable,
        modem_error=f"MBIM {words}",
    )
    if refusal.lock is not None:
        error.details["modem_lock"] = refusal.lock
    return error


def is_status(error: CardError, *statuses: Status) -> bool:
    """Return whether an error of `refusal_of` is for one of these statuses."""
    return error.details.get("modem_error") in {f"MBIM {status_name(each)}" for each in statuses}
