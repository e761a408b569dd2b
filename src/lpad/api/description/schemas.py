"""The schemas of the API's types, from the types themselves.

msgspec's schemas state neither the format of dates nor which fields of an answer are always present, and
they keep the indentation of docstrings. This module corrects all three.
"""

from __future__ import annotations

from inspect import cleandoc
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec
from msgspec import inspect

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

Schema: TypeAlias = dict[str, Any]
_Record: TypeAlias = inspect.StructType | inspect.DataclassType | inspect.TypedDictType

REF = "#/components/schemas/"
_EMPTY = (list, dict, set)
_WORDS = {inspect.DateTimeType: "string", inspect.IntType: "integer"}


def schemas_of(*, asked: Collection[type], told: Collection[type]) -> tuple[dict[type, Schema], Schema]:
    """Return a reference to the schema of each type, and all schemas by name.

    A request may omit a field with a default. An answer contains the field, unless the answer's type omits
    defaults. The schemas of answers state no defaults.

    Args:
        asked: the types of requests.
        told: the types of answers.
    """
    ordered = sorted({*asked, *told}, key=lambda type_: type_.__name__)
    refs, components = msgspec.json.schema_components(ordered, ref_template=f"{REF}{{name}}")
    in_requests = {record.cls for record in _records(asked)}
    for record in _records(ordered):
        schema = components[record.cls.__name__]
        schema["description"] = cleandoc(schema.get("description", ""))
        properties = schema.get("properties", {})
        for field in record.fields:
            _add_format(properties[field.encode_name], field.type)
        if record.cls not in in_requests and not isinstance(record, inspect.TypedDictType):
            always = [field.encode_name for field in record.fields if not _may_be_absent(record, field)]
            schema["required"] = always
            for name in properties:
                properties[name].pop("default", None)
        if not schema.get("required"):
            schema.pop("required", None)
    return dict(zip(ordered, refs, strict=True)), components


def _records(types: Collection[type]) -> list[_Record]:
    """Return every type with fields among `types` and their components, at any depth, without duplicates."""
    found: dict[type, _Record] = {}
    ahead: list[object] = list(inspect.multi_type_info(types))
    while ahead:
        each = ahead.pop()
        if isinstance(each, inspect.StructType | inspect.DataclassType | inspect.TypedDictType):
            if each.cls in found:
                continue
            found[each.cls] = each
            ahead += [field.type for field in each.fields]
        else:
            ahead += _parts(each)
    return list(found.values())


def _parts(type_: object) -> Iterator[object]:
    """Yield the component types of a type without fields, such as a list or a union."""
    for name in ("type", "item_type", "key_type", "value_type"):
        if hasattr(type_, name):
            yield getattr(type_, name)
    for name in ("types", "item_types"):
        yield from getattr(type_, name, ())


def _may_be_absent(record: _Record, field: inspect.Field) -> bool:
    if not field.required and field.default is field.default_factory is msgspec.NODEFAULT:
        return True  # the default is UNSET
    omits = isinstance(record, inspect.StructType) and record.cls.__struct_config__.omit_defaults
    if not omits:
        return False
    return field.default is not msgspec.NODEFAULT or field.default_factory in _EMPTY


def _add_format(schema: Schema, type_: inspect.Type) -> None:
    """Add the format of dates and numbers.

    msgspec omits the format of dates, because a date might have no time zone. A generator of clients may use
    32 bits for a number whose format is missing.
    """
    if isinstance(type_, inspect.DateTimeType):
        schema["format"] = "date-time"
    elif isinstance(type_, inspect.IntType):
        schema["format"] = "int64"
    elif isinstance(type_, inspect.UnionType):
        for each in type_.types:
            word = _WORDS.get(type(each))
            for alternative in schema["anyOf"]:
                if word is not None and alternative.get("type") == word:
                    _add_format(alternative, each)
    elif isinstance(type_, inspect.ListType | inspect.VarTupleType):
        _add_format(schema["items"], type_.item_type)
