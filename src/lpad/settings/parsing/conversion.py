"""Converts plain values to typed sections, like `msgspec.convert`, but continues after a mistake."""

from __future__ import annotations

import difflib
import math
import re
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args, get_origin

import msgspec

from lpad.settings.parsing.section_base import Section

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lpad.settings.parsing.mistakes import Report

_S = TypeVar("_S", bound=Section)

_NAMES = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "keys and values",
    "null": "nothing",
}
_NOTHING = object()


def to_section(type_: type[_S], plain: object, report: Report) -> _S:
    """Return a section with the valid values, and with defaults in place of wrong values."""
    in_short = type_.short is not None and plain is not None and not isinstance(plain, dict)
    if in_short:
        plain = {type_.short: plain}
    if not isinstance(plain, dict | None):
        report.wrong("expected keys and values, such as 'key: value' on a separate line")
        plain = None
    plain = dict(plain or {})
    values: dict[str, Any] = {}
    for each in msgspec.structs.fields(type_):
        if each.encode_name in plain:
            below = report if in_short else report.below(each.encode_name)
            value = _convert(each.type, plain.pop(each.encode_name), below)
            if value is not _NOTHING:
                values[each.name] = value
        elif each.required:
            report.wrong("missing", each.encode_name)
        if each.required and each.name not in values:
            values[each.name] = None  # never used, because lpad refuses settings with a mistake
    for unknown in plain:
        _unknown(unknown, type_, report)
    section = type_(**values)
    section.check(report)
    return section


def fields_below(type_: type[Section], path: str = "") -> Iterator[tuple[str, msgspec.structs.FieldInfo]]:
    """Yield every field of a section and of its inner sections, with its dotted path (NAME: a free key)."""
    for each in msgspec.structs.fields(type_):
        here = f"{path}{each.encode_name}"
        yield here, each
        if (inner := _section(each.type)) is not None:
            free = "NAME." if get_origin(each.type) is dict else ""
            yield from fields_below(inner, f"{here}.{free}")


def _section(type_: Any) -> type[Section] | None:
    """Return the section type of a field, or of its named values or items; None if there is none."""
    for each in (type_, *get_args(type_)):
        if isinstance(each, type) and issubclass(each, Section):
            return each
    return None


def _convert(type_: Any, plain: Any, report: Report) -> Any:
    """Return the typed value; for a wrong value, report a mistake and return `_NOTHING`."""
    origin = get_origin(type_)
    if origin is dict:
        return _mapping(type_, plain, report)
    if origin is list:
        return _items(type_, plain, report)
    section = _section(type_)
    if section is None:
        return _leaf(type_, plain, report)
    return None if plain is None and section is not type_ else to_section(section, plain, report)


def _mapping(type_: Any, plain: Any, report: Report) -> Any:
    wanted = get_args(type_)[1]
    if not isinstance(plain, dict | None):
        below = ": a name for each, with its settings below" if _section(wanted) is not None else ""
        report.wrong(f"expected keys and values{below}")
        return _NOTHING
    found = {key: _convert(wanted, value, report.below(key)) for key, value in (plain or {}).items()}
    return {key: value for key, value in found.items() if value is not _NOTHING}


def _items(type_: Any, plain: Any, report: Report) -> Any:
    wanted = get_args(type_)[0]
    if not isinstance(plain, list | None):
        report.wrong("expected a list, such as [a, b]")
        return _NOTHING
    found = [_convert(wanted, item, report.below(index)) for index, item in enumerate(plain or ())]
    return [item for item in found if item is not _NOTHING]


def _leaf(type_: Any, plain: Any, report: Report) -> Any:
    if isinstance(plain, str) and not plain.isprintable():
        report.wrong("control characters are not allowed")
        return _NOTHING
    if isinstance(plain, float) and not math.isfinite(plain):
        report.wrong("expected a finite number")
        return _NOTHING
    try:
        return msgspec.convert(plain, type_)
    except msgspec.ValidationError as error:
        report.wrong(_sentence(str(error), type_))
    return _NOTHING


def _sentence(told: str, type_: Any) -> str:
    if get_origin(type_) is Literal:
        return f"expected one of {', '.join(map(str, get_args(type_)))}"
    match = re.fullmatch(r"Expected `(.*?)`(?:, got `(.*?)`)?(.*?)(?: - at .*)?", told)
    if match is None:
        return told[0].lower() + told[1:]
    wanted = " or ".join(_NAMES.get(each, each) for each in match[1].split(" | "))
    got = f", got {_NAMES.get(match[2], match[2])}" if match[2] else ""
    quotes = match[2] in ("int", "float", "bool") and "str" in match[1].split(" | ")
    return f"expected {wanted}{match[3]}{got}{'; put it in quotes' if quotes else ''}"


def _unknown(key: str, type_: type[Section], report: Report) -> None:
    """Report an unknown key, and suggest a similar key, which is then not reported as missing."""
    known = [each.encode_name for each in msgspec.structs.fields(type_)]
    elsewhere = [path for path, _ in fields_below(type_) if path.split(".")[-1] == key]
    match = difflib.get_close_matches(key, known, n=1)
    if elsewhere:
        hint = f"; did you mean '{elsewhere[0]}'?"
    elif match:
        hint = f"; did you mean '{match[0]}'?"
        report.spoil(match[0])
    else:
        hint = f"; the known ones are {', '.join(known)}"
    report.wrong(f"there is no such setting{hint}", key)
