"""The statuses with which an MBIM function refuses a command, as errors with a remedy."""

from __future__ import annotations

from lpad.base.errors import CardError, CardUnreachable
from lpad.card.modem.control_refusals import OTHER, WAIT, Refusal, refusal_error, was_refused
from lpad.card.port.link_refused import LinkRefused
from lpad.codec.mbim.statuses import Status, status_name

_PROTOCOL = "MBIM"
_REFUSALS: dict[int, Refusal] = {
    Status.BUSY: WAIT,
    Status.STK_BUSY: WAIT,
    Status.NOT_INITIALIZED: WAIT,
    Status.SIM_NOT_INSERTED: Refusal(CardUnreachable, "check the slot, and which slot is active"),
    Status.BAD_SIM: Refusal(CardUnreachable, "check the card's contacts; a modem reset may help"),
    Status.PIN_REQUIRED: Refusal(
        CardUnreachable,
        "enter the PIN in the modem, or disable it on the card",
        retryable=False,
        lock="SIM PIN",
    ),
    Status.RADIO_POWER_OFF: Refusal(CardUnreachable, "switch the modem's radio on"),
    Status.INVALID_LOGICAL_CHANNEL: Refusal(
        CardUnreachable, "the card restarted and the channel was lost; try again"
    ),
    Status.PARAMETER_TOO_LONG: Refusal(
        LinkRefused, "the APDU is too long for the modem; try a smaller block"
    ),
    Status.NO_DEVICE_SUPPORT: Refusal(
        LinkRefused, "this modem's MBIM port does not carry commands for the card; use its AT port"
    ),
}


def refusal_of(status: int, *, attempted: str) -> CardError:
    """Return the error for a status other than success; the details contain `modem_error`.

    Args:
        attempted: the command and the port.
    """
    refusal = _REFUSALS.get(status, OTHER)
    return refusal_error(refusal, status_name(status), attempted=attempted, protocol=_PROTOCOL)


def is_status(error: CardError, *statuses: Status) -> bool:
    """Return whether an error of `refusal_of` has one of the given statuses."""
    return was_refused(error, map(status_name, statuses), protocol=_PROTOCOL)
