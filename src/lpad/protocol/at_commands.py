"""The AT commands that reach a card: their texts, and what their answers hold (3GPP TS 27.007)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lpad.errors import MalformedError
from lpad.protocol.at_dialogue import AtCommand

if TYPE_CHECKING:
    from lpad.protocol.at_dialogue import AtAnswer


def csim(apdu: bytes) -> AtCommand:
    """Return the command that carries an APDU (TS 27.007, 8.17); the length counts hex characters."""
    digits = apdu.hex().upper()
    return AtCommand(f'AT+CSIM={len(digits)},"{digits}"', prefix="+CSIM", bare=r'\d+\s*,\s*"?[0-9A-Fa-f]+"?')


def csim_response(answer: AtAnswer) -> bytes:
    """Return the response APDU in a modem's answer to `csim`.

    Raises:
        MalformedError: no such line, or its length contradicts its hex.
    """
    line = answer.lines[-1] if answer.lines else ""
    match = re.fullmatch(r'(\d+)\s*,\s*"?([0-9A-Fa-f]*)"?', line)
    if match is None:
        raise MalformedError("the modem's answer is not a length and hexadecimal digits")
    length, digits = int(match[1]), match[2]
    if length != len(digits) or len(digits) % 2:
        raise MalformedError(
            f"the modem announces {length} hexadecimal digits and sends {len(digits)}: characters were lost"
            " on the port, or another program reads it too"
        )
    return bytes.fromhex(digits)


def cgsn() -> AtCommand:
    """Return the command that asks for the IMEI (TS 27.007, 5.4); most modems answer without a prefix."""
    return AtCommand("AT+CGSN", prefix="+CGSN", bare=r'"?\d{14,16}"?')
