"""Numbers in text from outside: a modem's answer, an address, a setting, a query string, a file in /proc.

`int()` accepts spaces, underscores and the digits of every script, and raises ValueError from 4,301 digits
on; `float()` also accepts 'nan' and 'inf'. Callers do not expect this. This module therefore reads all
numbers from outside: only ASCII digits, and only in the range that the caller gives.
`tests/test_outside_numbers.py` finds the calls that bypass this module.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

from lpad.base.errors import MalformedError
from lpad.base.lazy_pattern import LazyPattern

LONGEST = 20
"""The maximum number of characters of a number: a 64-bit integer has up to 19 digits and a sign."""
LARGEST = (1 << 63) - 1
"""The largest signed 64-bit integer, which is also the largest integer that SQLite can store."""

_LONGEST_NAME = 40
"""The maximum number of characters of a field's name in an error."""
_DECIMAL = LazyPattern(r"-?[0-9]{1,20}")
_HEXADECIMAL = LazyPattern(r"[0-9A-Fa-f]{1,16}")
_FRACTION = LazyPattern(r"-?[0-9]{1,20}(?:\.[0-9]{1,20})?(?:[eE][+-]?[0-9]{1,3})?")


def whole_number(text: str, *, least: int = 0, most: int = LARGEST) -> int | None:
    """Return a whole number in decimal ASCII digits.

    Args:
        text: a text from outside, of any length.
        least: the smallest accepted number; a minus sign is accepted only if `least` is negative.

    Returns:
        The number; None if the text is anything else, has more than 20 characters, or is out of range.
    """
    if len(text) > LONGEST or _DECIMAL.fullmatch(text) is None or (least >= 0 and text[0] == "-"):
        return None
    value = int(text)
    return value if least <= value <= most else None


def matched_number(digits: str | bytes) -> int:
    """Return the number whose digits a pattern has matched.

    Raises:
        MalformedError: the pattern matched more than 20 digits, or non-ASCII digits.
    """
    value = whole_number(digits.decode("ascii", "replace") if isinstance(digits, bytes) else digits)
    if value is None:
        raise MalformedError(
            "a number is too long to be meaningful, or contains characters other than 0 to 9"
        )
    return value


def hexadecimal_number(text: str, *, most: int = LARGEST) -> int | None:
    """Return a number of 1 to 16 hexadecimal digits, up to `most`; None: the text is anything else."""
    if _HEXADECIMAL.fullmatch(text) is None:
        return None
    value = int(text, 16)
    return value if value <= most else None


def decimal_number(text: str, *, most: float) -> float | None:
    """Return a number from 0 to `most`, perhaps with a fraction or exponent; None: anything else."""
    if _FRACTION.fullmatch(text) is None:
        return None
    value = float(text)
    return value if math.isfinite(value) and 0 <= value <= most else None


def json_number(text: str) -> int | float:
    """Return a whole number of a JSON text, for `json.loads(parse_int=...)`; infinity if beyond 64 bits.

    One odd number in an unused field must not make the whole text unreadable.
    """
    value = whole_number(text, least=-LARGEST - 1)
    return math.inf if value is None else value


def json_text(value: Any) -> Any:
    """Return a value of a JSON text, with each lone surrogate replaced by U+FFFD.

    `json.loads` accepts a lone escape of a UTF-16 surrogate. A text with a lone surrogate can be neither sent
    nor stored, and one odd text must not make the whole answer unusable.
    """
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return [json_text(each) for each in value] if isinstance(value, list) else value


def json_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of a JSON text, for `json.loads(object_pairs_hook=...)`; see `json_text`.

    Raises:
        MalformedError: the object has the same field twice; parsers differ in which value they use.
    """
    fields = {json_text(name): json_text(value) for name, value in pairs}
    if len(fields) < len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        shown = f" '{twice}'" if twice.isalpha() and len(twice) <= _LONGEST_NAME else ""
        raise MalformedError(f"the answer has a field{shown} twice")
    return fields


def noted_number(value: object, *, default: float, most: float) -> float:
    """Return a stored number, or `default` if a damaged disk has changed it into an impossible one.

    Args:
        value: the value in the journal.
        default: the result if the value is not a number from 0 to `most`.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return default
    return value if 0 <= value <= most else default
