"""The details of errors of the card and of the connection to it."""

from __future__ import annotations

from lpad.base.error_details.request_and_switch import Details


class CardDetails(Details, total=False):
    """The answer of the card, modem or reader, if there was one.

    `sw`: status word, 4 hexadecimal digits. `modem_error`: final result code. `modem_lock`: the lock that a
    PIN or another code opens. `pcsc`: code of PC/SC, 8 hexadecimal digits. `layer`: the layer that failed.
    """

    layer: str
    modem_error: str
    modem_lock: str
    pcsc: str
    sw: str


class UnreachableDetails(CardDetails, total=False):
    """Whether the change was cut off, and its `outcome` if that is `unknown`."""

    interrupted: bool
    outcome: str


class ServedDetails(CardDetails, total=False):
    """The name under which lpad serves the card."""

    served_as: str


class StatusDetails(CardDetails, total=False):
    """`es10` is false if the ISD-R refused the first ES10 command, which suggests an M2M eUICC."""

    es10: bool


class RefusedDetails(CardDetails, total=False):
    """The ES10 function, and its error code as a number and as the name in SGP.22.

    `command`: the part of a bound profile package where the card stopped; empty if the card does not report
    it.
    """

    code: int
    command: str
    function: str
    reason: str
