"""Status words as sentences (ISO/IEC 7816-4, 5.6; with the narrower meaning in ES10)."""

from __future__ import annotations

from lpad.base.errors import CardStatus

_SENTENCES = {
    0x6700: "the card reports a wrong length",
    0x6881: "the card supports no logical channels here; this modem or card needs another link",
    0x6882: "the card supports no secure messaging",
    0x6982: "the card requires a security status that was not reached",
    0x6985: "the card does not allow the command; an earlier session may be open, or the card must be reset",
    0x6A80: "the card reports malformed data",
    0x6A81: "the card has no free channel, or lacks the function; stop other programs, or reset the modem",
    0x6A82: "the card has no such application",
    0x6A84: "the card's memory is full; delete a profile that is no longer needed",
    0x6A86: "the card reports a wrong parameter or block number",
    0x6A88: "the card does not know the function, or does not expect it at this point",
    0x6D00: "the card does not know the instruction",
    0x6E00: "the card does not know the class of the instruction",
    0x6F00: "the card reports an unknown error, or is being reset; read the card again before anything else",
}

_UNKNOWN_INSTRUCTION = (0x6D00, 0x6E00)
_NOT_ALLOWED = (0x6982, 0x6985, 0x6A88)


def status_error(attempted: str, sw: int) -> CardStatus:
    """Return the error for a status word other than success.

    Args:
        attempted: begins the sentence, such as "cannot open a logical channel".
        sw: the status word; the details contain it as four hexadecimal digits.
    """
    sentence = _SENTENCES.get(sw, "the card refused")
    return CardStatus(f"{attempted}: {sentence} (status {sw:04X})", sw=f"{sw:04X}")


def refused_at_once(attempted: str, sw: int) -> CardStatus:
    """Return the error for an ISD-R that was selected but refuses the very first ES10 command.

    eUICCs of SGP.02, which only their operator's server can manage, have an ISD-R of the same name (lpac#212,
    EasyLPAC#34). If the status word suggests this, the details contain `es10: false`.
    """
    if sw not in (*_UNKNOWN_INSTRUCTION, *_NOT_ALLOWED):
        return status_error(attempted, sw)
    if sw in _UNKNOWN_INSTRUCTION:
        found = (
            "the card has an ISD-R that does not recognize ES10 commands. It is probably an M2M eUICC"
            " (SGP.02), which"
        )
        remedy = "no LPA can manage: ask its operator, or insert a consumer eUICC"
    else:
        found = (
            f"the card has an ISD-R that refuses the first ES10 command: {_SENTENCES[sw]}. If a restart of"
        )
        remedy = "the modem changes nothing, this is probably an M2M eUICC (SGP.02), which no LPA can manage"
    return CardStatus(f"{attempted}: {found} {remedy} (status {sw:04X})", sw=f"{sw:04X}", es10=False)


def no_isdr() -> CardStatus:
    """Return the error for a card that has no ISD-R under any known name."""
    return CardStatus(
        "cannot select the ISD-R: the card has none, so it is not an eUICC; check which SIM slot is active",
        sw="6A82",
    )
