"""Removal of identifiers and secrets from text that people read."""

from __future__ import annotations

import re

from lpad.base.lazy_pattern import LazyPattern

_SERIAL_NUMBER = LazyPattern(r"(?<!PC/SC )(?![0-9A-Fa-f]{8}…[0-9]{2}\b)(?=[A-Fa-f]*\d)[0-9A-Fa-f]{8,}")
"""A serial number in the name of a port or reader; neither a PC/SC error code nor a shortened EID matches."""

# EIDs, IMSIs and IMEIs are decimal; each of the up to 20 digits of an ICCID may be A to E, and F is padding.
# AIDs, transaction IDs and hashes are usually longer, and ordinary words of these letters are shorter.
_IDENTIFIER = LazyPattern(
    r"(?<![0-9A-Za-z])(?:[0-9]{11,28}([0-9]{4})[Ff]?|[0-9A-Fa-f]{11,16}([0-9A-Fa-f]{4}))(?![0-9A-Za-z])"
)
_ACTIVATION_CODE = LazyPattern(
    r"(?<![0-9A-Za-z])((?:LPA(?::|%3A))?1(\$|%24)[A-Za-z0-9.:-]*(?:\$|%24))[!#-&(-_a-~]*", re.IGNORECASE
)
"""An activation code in a text, even a percent-encoded one, as in a link."""
_NAMED_ICCID = LazyPattern(
    r"(?P<before>\b(?:[Pp]rofile|ICCID):? )(?=[A-E]*[0-9])(?P<iccid>[0-9A-E]{1,14})F*(?![0-9A-Za-z])"
)
"""An ICCID after "profile" or "ICCID", too short to be distinguished from other numbers without the word."""
_SHOWN_DIGITS = 4


def last_digits(identifier: str) -> str:
    """Return the last four digits of an identifier, which distinguish two cards on a bench.

    A short identifier is hidden completely.
    """
    return "…" + identifier[-_SHOWN_DIGITS:] if len(identifier) > 2 * _SHOWN_DIGITS else "…"


def redacted(text: str) -> str:
    """Return a text without identifiers.

    Long numbers keep only the last four digits, activation codes only the address.

    Decimal numbers of 15 to 32 digits are masked, and hexadecimal numbers of 15 to 20 digits. A number after
    the word "profile" or "ICCID" is masked even if it is shorter.
    """
    return _NAMED_ICCID.sub(_named, _IDENTIFIER.sub(_masked, _ACTIVATION_CODE.sub(r"\1…", text)))


def mask(text: str) -> str:
    """Return the name of a port or reader; its serial numbers keep only the last two digits."""
    return _SERIAL_NUMBER.sub(lambda found: f"…{found[0][-2:]}", text)


def _named(found: re.Match[str]) -> str:
    return found["before"] + last_digits(found["iccid"])


def _masked(found: re.Match[str]) -> str:
    return f"…{found[1] or found[2].rstrip('Ff')}"
