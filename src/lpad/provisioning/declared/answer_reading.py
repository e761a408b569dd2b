"""Reads platforms' answers: dotted paths, and the various spellings of codes and numbers."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from lpad.base.activation_code import ActivationCode
from lpad.base.errors import InvalidActivationCode, InvalidValue, MalformedError
from lpad.base.lazy_pattern import LazyPattern
from lpad.base.server_address import ServerAddress
from lpad.base.untrusted_number import json_object, json_text, whole_number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lpad.provisioning.declared.platform_declaration import Scalar

LONGEST_WORDS = 300
"""The maximum number of characters that are kept of a platform's own text."""
TAGS = "tags"
"""The name of the only value that is read as a list; all other values are scalars."""
_LONGEST_VALUE = 2048
_LONGEST_NUMBER = 64
_CONTROL = LazyPattern(r"[\x00-\x1f\x7f]+")
_ICCID = LazyPattern(r"[0-9A-Ea-e]{10,20}[Ff]{0,10}")
_BETWEEN = LazyPattern(r"[\s-]")
"""Characters that some platforms write between the digits of an ICCID."""


def parsed(body: bytes) -> Any:
    """Return the JSON of an answer; its numbers are text, so that an ICCID without quotes keeps its digits.

    Raises:
        MalformedError: the body is not JSON in UTF-8, or has a field twice.
    """
    try:
        return json_text(
            json.loads(
                body.decode("utf-8-sig"),
                object_pairs_hook=json_object,
                parse_int=_digits,
                parse_float=_digits,
                parse_constant=_none,
            )
        )
    except (ValueError, RecursionError) as error:
        raise MalformedError("the answer is not JSON") from error


def at(path: str, value: Any) -> Any:
    """Return the value at a dotted path; None if there is no such path."""
    for name in path.split(".") if path else ():
        if isinstance(value, dict):
            value = value.get(name)
        elif isinstance(value, list):
            place = whole_number(name, most=10_000)
            value = value[place] if place is not None and place < len(value) else None
        else:
            return None
    return value


def text_at(path: str, value: Any) -> str | None:
    """Return the scalar at a path as text; None if it is missing, empty, too long, a list or an object."""
    return as_text(at(path, value))


def tags_at(path: str, value: Any) -> str | None:
    """Return the texts of the list at a path, one per line; None if there is no list."""
    found = at(path, value)
    if not isinstance(found, list):
        return None
    return "\n".join(text for text in map(as_text, found) if text is not None and "\n" not in text)


def as_text(value: Any) -> str | None:
    """Return a scalar of JSON as text; None for null, an empty or too long text, a list or an object."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str) and value and len(value) <= _LONGEST_VALUE:
        return value
    return None


def fits(wanted: Mapping[str, list[Scalar] | Scalar], answer: Any) -> bool:
    """Return whether the value at each path is as wanted; a number equals the text of its digits."""
    return all(_equals(at(path, answer), values) for path, values in wanted.items())


def _equals(found: Any, wanted: list[Scalar] | Scalar) -> bool:
    options = wanted if isinstance(wanted, list) else [wanted]
    return any(found is each or (each is not None and as_text(found) == as_text(each)) for each in options)


def said(words: str) -> str:
    """Return a platform's own text in one line of limited length."""
    line = _CONTROL.sub(" ", words).strip()
    return line if len(line) <= LONGEST_WORDS else f"{line[:LONGEST_WORDS]}…"


def ticket(*, code: str | None, smdp: str | None, matching: str | None, bound: bool) -> ActivationCode | None:
    """Return the activation code of a profile from a platform's answer.

    Args:
        code: an activation code, with or without `LPA:`, or only the server's address.
        smdp: a host in any case, or a URL.
        bound: whether the server finds the profile by the card's EID, so that no matching ID is needed.

    Returns:
        The code; None if it is incomplete.

    Raises:
        MalformedError: the platform's value is not an activation code.
    """
    try:
        if code is not None and "$" in code:
            return ActivationCode.parse(code)
        host = smdp or code
        if host is None or (matching is None and not bound):
            return None
        address = _address(host)
        return ActivationCode.parse(f"LPA:1${address}${matching or ''}")
    except (InvalidActivationCode, InvalidValue) as error:
        raise MalformedError(f"the platform's activation code: {error.sentence}") from error


def _address(host: str) -> ServerAddress:
    if "://" in host:
        try:
            host = urlsplit(host).netloc
        except ValueError as error:
            raise InvalidValue("the address is not a URL") from error
    return ServerAddress.parse(host.rstrip("/"))


def iccid(text: str | None) -> str | None:
    """Return an ICCID without spaces and padding; None if the text is not an ICCID."""
    if text is None:
        return None
    digits = _BETWEEN.sub("", text)
    return digits.upper().rstrip("F") if _ICCID.fullmatch(digits) else None


def same_iccid(one: str, other: str) -> bool:
    """Return whether two ICCIDs belong to the same profile; platforms may omit the check digit."""
    one, other = (_BETWEEN.sub("", each).upper().rstrip("F") for each in (one, other))
    shorter, longer = sorted((one, other), key=len)
    return one == other or (
        len(longer) - len(shorter) == 1 and len(shorter) >= 18 and longer.startswith(shorter)
    )


def _digits(text: str) -> str:
    """Return a JSON number as text of limited length."""
    return text[:_LONGEST_NUMBER]


def _none(_: str) -> float:
    return math.nan
