"""What a modem answers when it is asked which ICCID it reads, in the dialects of their makers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lpad.base.errors import InvalidValue, MalformedError
from lpad.base.identifiers import Iccid
from lpad.protocol.at_dialogue import AtCommand

if TYPE_CHECKING:
    from lpad.protocol.at_dialogue import AtAnswer

_FILE_READ = ("144", "145", "159")
"""SW1 of +CRSM as a decimal number: done, done with something pending, done with length."""


def iccid_command(text: str) -> AtCommand:
    """Return the command for a line such as AT+QCCID, AT^ICCID? or AT+CRSM=176,12258,0,0,10.

    The last is understood by all modems: READ BINARY of EF.ICCID, 2FE2 (3GPP TS 27.007, 8.18).
    """
    name = re.split(r"[=?]", text[2:])[0]
    return AtCommand(text, prefix=name, bare=r'[+^#]?(?:[A-Z]*ICCID:\s*)?"?\d{18,20}[Ff]{0,2}"?')


def iccid_told(answer: AtAnswer) -> Iccid | None:
    """Return the ICCID in an answer, in canonical form; None where there is no such file on the card.

    Modems add the padding F or leave it out (openpilot#38021), quote it or not, and +CRSM tells it with
    its nibbles swapped as it stands in the file.

    Raises:
        MalformedError: no ICCID is in it.
    """
    line = answer.lines[-1] if answer.lines else ""
    restricted = re.fullmatch(r'(\d{1,3}),\s*\d{1,3}(?:,\s*"?([0-9A-Fa-f]*)"?)?', line)
    if restricted is not None:
        if restricted[1] not in _FILE_READ or not restricted[2]:
            return None
        try:
            return Iccid.from_bytes(bytes.fromhex(restricted[2]))
        except ValueError as error:
            raise MalformedError("the modem's answer to +CRSM holds half a byte") from error
    digits = re.search(r"\d{18,20}[Ff]{0,2}", line)
    if digits is None:
        raise MalformedError("the modem's answer holds no ICCID of 18 to 20 digits")
    try:
        return Iccid.parse(digits[0])
    except InvalidValue as error:
        raise MalformedError(error.sentence) from error
