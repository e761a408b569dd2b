"""Decoding of request bodies; errors name the field, but not its value."""

from __future__ import annotations

import re
from typing import TypeVar

import msgspec

from lpad.api.request.request_bodies import NoBody
from lpad.base.errors import InvalidValue
from lpad.base.lazy_pattern import LazyPattern

_B = TypeVar("_B", bound=msgspec.Struct)

_NAMES = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}
# The forms of msgspec's sentences; a sentence of any other form is passed on unchanged.
_NOT_TEXT = LazyPattern("utf-8", re.IGNORECASE)
"""msgspec's error for invalid UTF-8: until 0.22 a UnicodeDecodeError, later a DecodeError."""
_EXPECTED = LazyPattern(r"Expected `(?P<wanted>[^`]+)`(?:, got `(?P<got>\w+)`)?(?P<range>.*)")
_LENGTH = LazyPattern(r" of length (?P<bound><=|>=) (?P<number>[0-9]+)")
_LIMIT = LazyPattern(r" (?P<bound><=|>=) (?P<number>[-0-9.e+]+)")
_CHOICE = LazyPattern(r" matching regex '\^\((?P<choice>[^()]+)\)\$'")
_FIELD = LazyPattern(r"Object (?P<what>contains unknown|missing required) field `(?P<name>[^`]*)`")
_BOUNDS = {"<=": "at most", ">=": "at least"}


def decoded(body: bytes, type_: type[_B]) -> _B:
    """Return a request's body, decoded as `type_`; an empty body counts as an object without fields.

    Raises:
        InvalidValue: the body is not valid JSON, or does not match the type.
    """
    try:
        return msgspec.json.decode(body.strip() or b"{}", type=type_)
    except msgspec.ValidationError as error:
        raise InvalidValue(f"the request's body cannot be used: {_sentence(str(error), type_)}") from error
    except ValueError as error:
        if _NOT_TEXT.search(str(error)):
            raise InvalidValue("the request's body cannot be read: it is not valid UTF-8") from error
        why = str(error).removeprefix("JSON is malformed: ").removeprefix("Input data was ")
        raise InvalidValue(f"the request's body cannot be read: it is not valid JSON ({why})") from error


def _sentence(told: str, type_: type[msgspec.Struct]) -> str:
    said, _, path = told.partition(" - at ")
    path = path.strip("`").removeprefix("$").removeprefix(".")
    if match := _FIELD.fullmatch(said):
        name = f"{path}.{match['name']}" if path else match["name"]
        if match["what"].startswith("missing"):
            return f"'{name}' is missing"
        known = ", ".join(type_.__struct_fields__) if type_ is not NoBody else ""
        return f"there is no field '{name}'" + (
            "" if path else f"; the known fields are: {known}" if known else "; this request accepts none"
        )
    where = f"'{path}'" if path else "it"
    if match := _EXPECTED.fullmatch(said):
        got = f", but is {_NAMES.get(match['got'], match['got'])}" if match["got"] else ""
        return f"{where} must be {_wanted(match['wanted'], match['range'])}{got}"
    return f"{where}: {said[:1].lower()}{said[1:]}"


def _wanted(types: str, limits: str) -> str:
    """Return the expected type in words, such as `text of at most 255 characters`."""
    kinds = [each for each in types.split(" | ") if each != "null"]
    name = " or ".join(_NAMES.get(each, each) for each in kinds)
    if match := _CHOICE.fullmatch(limits):
        return f"one of {', '.join(match['choice'].split('|'))}"
    if match := _LENGTH.fullmatch(limits):
        unit = "character" if kinds == ["str"] else "item"
        plural = "" if match["number"] == "1" else "s"
        return f"{name} of {_BOUNDS[match['bound']]} {match['number']} {unit}{plural}"
    if match := _LIMIT.fullmatch(limits):
        return f"{name} of {_BOUNDS[match['bound']]} {match['number'].removesuffix('.0')}"
    return f"{name}{limits}"
