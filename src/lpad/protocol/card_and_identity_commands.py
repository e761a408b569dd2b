"""The AT commands that reach a card: their texts and their answers (3GPP TS 27.007)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lpad.base.errors import MalformedError
from lpad.base.untrusted_number import whole_number
from lpad.protocol.at_dialogue import AtCommand

if TYPE_CHECKING:
    from lpad.protocol.at_dialogue import AtAnswer

LONGEST_IDENTITY = 80
"""The maximum number of characters that are kept of a modem's identification text."""

_ANYTHING_BUT_UNSOLICITED = r"(?!RING$|RDY$|[+^*%$#_].*:).+"
"""Matches any line that does not look unsolicited: unsolicited lines are RING, RDY, or begin with a sign and
contain a colon."""


def csim(apdu: bytes) -> AtCommand:
    """Return the command that carries an APDU (TS 27.007, 8.17); the length counts hex characters."""
    digits = apdu.hex().upper()
    return AtCommand(
        f'AT+CSIM={len(digits)},"{digits}"', prefix="+CSIM", bare=r'[0-9]+\s*,\s*"?[0-9A-Fa-f]+"?'
    )


def cgsn() -> AtCommand:
    """Return the command that asks for the IMEI (TS 27.007, 5.4); most modems answer without a prefix."""
    return AtCommand("AT+CGSN", prefix="+CGSN", bare=r'"?[0-9]{14,16}"?')


def ccho(aid: bytes) -> AtCommand:
    """Return the command that opens a channel to an application (TS 27.007, 8.45).

    Some modems answer with a bare number, others with 16 hexadecimal digits.
    """
    return AtCommand(f'AT+CCHO="{aid.hex().upper()}"', prefix="+CCHO", bare=r'"?[0-9A-Fa-f]{1,16}"?')


def ccho_handle(answer: AtAnswer) -> str:
    """Return the name that the modem gave to the channel, in the modem's own spelling.

    Only this modem understands the name. The name is not a channel number, even if it looks like one.

    Raises:
        MalformedError: the answer is not 1 to 16 hexadecimal digits.
    """
    line = answer.lines[-1].strip('" ') if answer.lines else ""
    if re.fullmatch(r"[0-9A-Fa-f]{1,16}", line) is None:
        raise MalformedError("the modem's name for the channel is not 1 to 16 hexadecimal digits")
    return line


def cgla(handle: str, apdu: bytes) -> AtCommand:
    """Return the command that carries an APDU on a channel (TS 27.007, 8.43)."""
    digits = apdu.hex().upper()
    return AtCommand(
        f'AT+CGLA={handle},{len(digits)},"{digits}"', prefix="+CGLA", bare=r'[0-9]+\s*,\s*"?[0-9A-Fa-f]+"?'
    )


def response_apdu(answer: AtAnswer) -> bytes:
    """Return the response APDU in a modem's answer to `csim` or `cgla`.

    Raises:
        MalformedError: the answer has no line with an APDU, or the stated length does not match the digits.
    """
    line = answer.lines[-1] if answer.lines else ""
    match = re.fullmatch(r'([0-9]+)\s*,\s*"?([0-9A-Fa-f]*)"?', line)
    if match is None:
        raise MalformedError("the modem's answer is not a length followed by hexadecimal digits")
    length, digits = whole_number(match[1]), match[2]
    if length != len(digits) or len(digits) % 2:
        announced = "an impossible number of" if length is None else length
        raise MalformedError(
            f"the modem announces {announced} hexadecimal digits and sends {len(digits)}: characters were"
            " lost on the port, or another program also reads the port"
        )
    return bytes.fromhex(digits)


def cchc(handle: str) -> AtCommand:
    """Return the command that closes a channel (TS 27.007, 8.46); some modems send +CCHC before OK."""
    return AtCommand(f"AT+CCHC={handle}")


def identity() -> tuple[AtCommand, AtCommand, AtCommand]:
    """Return the commands that ask for manufacturer, model and firmware (TS 27.007, 5.1 to 5.3)."""
    return (
        AtCommand("AT+CGMI", prefix="+CGMI", bare=_ANYTHING_BUT_UNSOLICITED),
        AtCommand("AT+CGMM", prefix="+CGMM", bare=_ANYTHING_BUT_UNSOLICITED),
        AtCommand("AT+CGMR", prefix="+CGMR", bare=_ANYTHING_BUT_UNSOLICITED),
    )


def identity_text(answer: AtAnswer) -> str:
    """Return an identification without quotes and the word Revision; empty if the answer has no line."""
    line = answer.lines[0] if answer.lines else ""
    return re.sub(r"^Revision\s*:\s*", "", line.strip('" '), flags=re.IGNORECASE)[:LONGEST_IDENTITY]
