"""The errors with which a QMI modem refuses a request, as errors with a remedy."""

from __future__ import annotations

from lpad.base.errors import CardError, CardUnreachable
from lpad.card.modem.control_refusals import OTHER, WAIT, Refusal, refusal_error, was_refused
from lpad.card.port.link_refused import LinkRefused
from lpad.codec.qmi.errors import Error, error_name

_PROTOCOL = "QMI"
_NOT_HERE = Refusal(
    LinkRefused, "this modem's QMI port does not carry commands for the card; use its AT port or MBIM"
)
_REFUSALS: dict[int, Refusal] = {
    Error.UIM_UNINITIALIZED: WAIT,
    Error.DEVICE_NOT_READY: WAIT,
    Error.CLIENT_IDS_EXHAUSTED: Refusal(
        CardUnreachable, "programs that were killed have used up the modem's clients; reset the modem"
    ),
    Error.NO_SIM: Refusal(CardUnreachable, "check the slot, and which slot is active"),
    Error.ACCESS_DENIED: Refusal(
        LinkRefused,
        "the modem's firmware does not let programs select the ISD-R; try the modem's AT port or MBIM, or ask"
        " its maker for other firmware",
        retryable=False,
    ),
    Error.INVALID_ARGUMENT: Refusal(
        CardUnreachable, "the card restarted and the channel was lost; try again"
    ),
    Error.INVALID_CLIENT_ID: Refusal(CardUnreachable, "the modem was reset; try again"),
    Error.ARGUMENT_TOO_LONG: Refusal(LinkRefused, "the APDU is too long for the modem; try a smaller block"),
    Error.INVALID_QMI_COMMAND: _NOT_HERE,
    Error.NOT_SUPPORTED: _NOT_HERE,
}


def refusal_of(error: int, *, attempted: str) -> CardError:
    """Return the error for a failed result; the details contain `modem_error`.

    Args:
        attempted: the request and the port.
    """
    refusal = _REFUSALS.get(error, OTHER)
    return refusal_error(refusal, error_name(error), attempted=attempted, protocol=_PROTOCOL)


def is_refusal(error: CardError, *refusals: Error) -> bool:
    """Return whether an error of `refusal_of` has one of the given QMI errors."""
    return was_refused(error, map(error_name, refusals), protocol=_PROTOCOL)
