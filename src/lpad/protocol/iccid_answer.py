"""A modem's answer to the query for the ICCID, in the dialects of many makers.

An ICCID arrives as printed, or with the digits of each pair exchanged, as in the card's file (u-blox, Huawei,
Sierra: 98… at the start). It may have its padding F, quotes or groups. A slot number or the EID may be next
to it or on a separate line. An answer does not show which form a modem uses. So a report keeps all readings
of its digits, and matches an ICCID if one of the readings is that ICCID. ICCIDs begin with 89, which only
indicates the likeliest reading.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct

from lpad.base.errors import InvalidValue, MalformedError
from lpad.base.frozen import Frozen
from lpad.base.identifiers import Iccid
from lpad.base.lazy_pattern import LazyPattern
from lpad.protocol.at_dialogue import AtAnswer, AtCommand

if TYPE_CHECKING:
    from collections.abc import Iterator

_FILE_READ = ("144", "145", "159")
"""SW1 of +CRSM as a decimal number: success, success with a pending command, success with length."""
_LOCKED = {"105": ("130", "131", "132", "133"), "152": ("4", "8", "64")}
"""Decimal status words of +CRSM from a card that requires a PIN first: 6982 to 6985, 9804, 9808, 9840."""
_FILE = 20
"""The number of digits in EF.ICCID, padding included."""
_MOST = 20
"""The maximum number of digits of an ICCID; an EID has 32."""
_WHOLE = 16
"""The minimum number of digits of a run that counts as an ICCID; a shorter run next to it, such as a slot
number, does not count."""
_SLOT = 3
"""The maximum number of digits of a slot number."""
_RESTRICTED = LazyPattern(r'([0-9]{1,3}),\s*([0-9]{1,3})(?:,\s*"?([0-9A-Fa-f]*)"?)?')
_LABEL = LazyPattern(r"[A-Za-z_]*[G-Zg-z_][A-Za-z_]*")
_BESIDE = LazyPattern(r"[^0-9A-Fa-f -]+")
_GAP = LazyPattern(r"[ -]+")


class IccidReport(Frozen):
    """The ICCID that a modem reports: all readings of its digits, the likeliest first."""

    readings: tuple[Iccid, ...]

    def names(self, iccid: Iccid) -> bool:
        """Return whether one of the readings is this ICCID."""
        return iccid in self.readings

    @property
    def likeliest(self) -> Iccid:
        """The likeliest reading."""
        return self.readings[0]


class SimLocked(Struct, frozen=True):
    """The card's ICCID can be read only after a PIN has been entered."""


def iccid_command(text: str) -> AtCommand:
    """Return the command for a line such as AT+QCCID, AT^ICCID? or AT+CRSM=176,12258,0,0,10.

    Nearly all modems understand AT+CRSM: READ BINARY of EF.ICCID, 2FE2 (3GPP TS 27.007, 8.18).
    """
    name = re.split(r"[=?]", text[2:])[0]
    return AtCommand(
        text,
        prefix=name,
        # Ten digits or more, in groups or not; a value labelled as an ICCID; the data of +CRSM; or only
        # digits, however few, with a slot number or an EID.
        bare=r".*(?:[0-9A-Fa-f][ -]?){10}.*|[+^#!*]?\w*CCID\w*\W.*|1[0-9]{2},\s*[0-9]{1,3}(?:,.*)?"
        r"|[\"'(){}[\];:, -]*[0-9A-Fa-f][0-9A-Fa-f\"'(){}[\];:, -]*",
    )


def iccid_report(answer: AtAnswer) -> IccidReport | SimLocked | None:
    """Return the report in an answer; SimLocked: a PIN is needed first; None: the card has no ICCID file.

    Raises:
        MalformedError: the answer contains no ICCID.
    """
    for line in answer.lines:
        restricted = _RESTRICTED.fullmatch(line)
        if restricted is not None and (restricted[1] in _FILE_READ or not restricted[3]):
            return _of_file(restricted[1], restricted[2], restricted[3] or "")
    found = [text for line in (*answer.lines, *answer.beside) for text in _digits(line)]
    whole = [text for text in found if len(text) >= _WHOLE]
    if any(len(text.rstrip("Ff")) <= _MOST for text in whole):
        found = whole
    elif whole:  # an EID alone, or next to a short ICCID
        found = [text for text in found if len(text) > _SLOT]
    return _report(found)


def iccid_told(answer: AtAnswer) -> Iccid | None:
    """Return the likeliest ICCID in an answer; None if the card is locked or has no file with an ICCID.

    Raises:
        MalformedError: the answer contains no ICCID.
    """
    report = iccid_report(answer)
    return report.likeliest if isinstance(report, IccidReport) else None


def is_reported(iccid: str, text: str | None) -> bool:
    """Return whether a program, such as ModemManager, reports this ICCID for the modem, in any form.

    Args:
        iccid: the ICCID from the card.
        text: the program's report; None without a report.
    """
    if text is None:
        return False
    try:
        report = iccid_report(AtAnswer((text,), "OK"))
        return isinstance(report, IccidReport) and report.names(Iccid.parse(iccid))
    except (InvalidValue, MalformedError):
        return False


def _of_file(sw1: str, sw2: str, digits: str) -> IccidReport | SimLocked | None:
    if sw2 in _LOCKED.get(sw1, ()):
        return SimLocked()
    if sw1 not in _FILE_READ or not digits:
        return None
    if len(digits) < _FILE or len(digits) % 2:
        raise MalformedError(
            f"the modem's answer to +CRSM is not a file of 10 bytes; it has {len(digits)} digits"
        )
    return _report([_swapped(digits[:_FILE]), digits[:_FILE]])


def _report(texts: list[str]) -> IccidReport:
    readings: dict[Iccid, None] = {}
    for text in texts:
        unpadded = text.rstrip("Ff")
        for form in (text, _swapped(text), _swapped(unpadded)):
            iccid = _iccid(form)
            if iccid is not None:
                readings[iccid] = None
    if not readings:
        raise MalformedError("the modem's answer contains no ICCID")
    return IccidReport(tuple(sorted(readings, key=lambda each: not each.digits.startswith("89"))))


def _digits(line: str) -> Iterator[str]:
    """Yield the possible ICCIDs in a line: each run of digits, and runs joined by spaces or dashes."""
    for piece in _BESIDE.split(_LABEL.sub("|", line)):
        groups = [group for group in _GAP.split(piece) if group]
        yield from groups
        if len(groups) > 1:
            # Slot numbers may precede and follow the groups.
            yield from ("".join(groups[begin:end]) for begin in (0, 1) for end in (None, -1))


def _swapped(digits: str) -> str:
    """Return the digits with each pair exchanged; a last single digit, without its padding, remains."""
    even = len(digits) // 2 * 2
    return "".join(digits[at + 1] + digits[at] for at in range(0, even, 2)) + digits[even:]


def _iccid(text: str) -> Iccid | None:
    if len(text.rstrip("Ff")) > _MOST:
        return None
    try:
        return Iccid.parse(text)
    except InvalidValue:
        return None
