"""Lists the names that a release promises to keep; as a program, those of settings and commands.

A release's interpreter runs this file, which therefore imports only parts that all releases have.
"""

from __future__ import annotations

import importlib
import json
import re
from typing import Any

import click
from msgspec import inspect


def program_names() -> dict[str, list[str]]:
    """Return the settings keys, and the commands and options of `lpad` and `lpactl`."""
    settings = importlib.import_module("lpad.settings").Settings
    return {"settings": sorted(_keys(inspect.type_info(settings))), "options": sorted(_commands())}


def api_names(document: dict[str, Any], metrics: str) -> dict[str, Any]:
    """Return the fields of the answers to each method and path, and the names of the metrics.

    Args:
        document: the OpenAPI document.
        metrics: the text of the metrics, as a scrape gets it.
    """
    operations: dict[str, list[str]] = {}
    for path, methods in document["paths"].items():
        # A caller does not see the names of parameters.
        called = re.sub(r"{\w+}", "{}", path)
        for method, operation in methods.items():
            answers = [answer.get("content", {}) for answer in operation["responses"].values()]
            fields = _fields(answers, document["components"]["schemas"], ())
            operations[f"{method.upper()} {called}"] = sorted(fields)
    names = re.findall(r"^# TYPE (lpad_\S+)", metrics, re.MULTILINE)
    return {"operations": operations, "metrics": sorted(names)}


def _fields(found: Any, schemas: dict[str, Any], above: tuple[str, ...], before: str = "") -> set[str]:
    """Return the fields of the answers' schemas, nested ones as in `outer.inner`."""
    fields: set[str] = set()
    if isinstance(found, list):
        return fields.union(*(_fields(each, schemas, above, before) for each in found))
    if not isinstance(found, dict):
        return fields
    for key, value in found.items():
        if key == "$ref":
            name = value.rpartition("/")[2]
            if name not in above:
                fields |= _fields(schemas[name], schemas, (*above, name), before)
        elif key == "properties":
            for field, schema in value.items():
                nested = f"{before}.{field}".lstrip(".")
                fields |= {nested} | _fields(schema, schemas, above, nested)
        elif key not in {"example", "examples", "default", "discriminator"}:
            fields |= _fields(value, schemas, above, before)
    return fields


def _keys(type_: inspect.Type, before: str = "") -> set[str]:
    """Return the keys of a settings section and of those below it; `*` is a name that the user chooses."""
    keys: set[str] = set()
    match type_:
        case inspect.StructType(fields=fields):
            for field in fields:
                key = f"{before}.{field.encode_name}".lstrip(".")
                keys |= {key} | _keys(field.type, key)
        case inspect.DictType(value_type=value):
            keys |= _keys(value, f"{before}.*")
        case inspect.ListType(item_type=item) | inspect.VarTupleType(item_type=item):
            keys |= _keys(item, f"{before}[]")
        case inspect.UnionType(types=types):
            keys = keys.union(*(_keys(each, before) for each in types))
        case inspect.Metadata(type=inner):
            keys |= _keys(inner, before)
        case _:
            pass
    return keys


def _commands() -> set[str]:
    found: set[str] = set()
    for program in ("lpad", "lpactl"):
        root = importlib.import_module(f"lpad.cli.{program}").cli
        found |= _options(root, click.Context(root, info_name=program), program)
    return found


def _options(command: click.Command, context: click.Context, called: str) -> set[str]:
    found = {called}
    for each in command.params:
        words = [*each.opts, *each.secondary_opts] if isinstance(each, click.Option) else []
        found |= {f"{called} {word}" for word in words}
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            found |= _options(inner, click.Context(inner, context, name), f"{called} {name}")
    return found


if __name__ == "__main__":
    print(json.dumps(program_names()))
