"""Write the API reference, a page of the documentation site, from the OpenAPI document.

python -m package.reference FILE
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lpad.api.openapi import document
from lpad.api.routes import ROUTES

if TYPE_CHECKING:
    from collections.abc import Iterator

Schema = dict[str, Any]


def page(described: Schema) -> str:
    """Return the page in Markdown: the operations by group, then the schemas."""
    return "\n".join(_lines(described)).rstrip() + "\n"


def _lines(described: Schema) -> Iterator[str]:
    yield from ("# API reference", "", described["info"]["description"])
    version = described["info"]["version"]
    yield f"Version {version}. [api.md](api.md) explains how the operations work together."
    for tag in described["tags"]:
        yield from ("", f"## {tag['name'].capitalize()}", "", tag["description"])
        for path, methods in described["paths"].items():
            for method, operation in methods.items():
                if tag["name"] in operation["tags"]:
                    yield from _operation(f"{method.upper()} {path}", operation)
    yield from ("", "## Schemas")
    for name, schema in sorted(described["components"]["schemas"].items()):
        yield from _schema(name, schema)


def _operation(title: str, operation: Schema) -> Iterator[str]:
    yield from ("", f"### `{title}`", "", operation["summary"], "", operation["description"], "")
    if operation["parameters"]:
        yield from ("| parameter | in | type | |", "|---|---|---|---|")
        for each in operation["parameters"]:
            needed = "" if each.get("required") else "; optional"
            kind = f"{_type(each['schema'])}{_default(each['schema'])}{needed}"
            yield f"| `{each['name']}` | {each['in']} | {kind} | {_cell(each['description'])} |"
        yield ""
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        yield from (f"Request, `{media_type}`, {_type(content['schema'])}:", "")
        yield from _example(content["example"])
    for status, answer in operation["responses"].items():
        for media_type, content in answer.get("content", {}).items():
            told = _cell(answer["description"])
            yield f"- **{status}** {told}: `{media_type}`, {_type(content['schema'])}"
        if not answer.get("content"):
            yield f"- **{status}** {_cell(answer['description'])}"
    good = operation["responses"]["200"]["content"]
    example = next((each["example"] for each in good.values() if "example" in each), None)
    if example is not None:
        yield from ("", "Example of the answer:", "")
        yield from _example(example)


def _schema(name: str, schema: Schema) -> Iterator[str]:
    yield from ("", f"### {name}", "", schema.get("description", ""), "")
    if "oneOf" in schema:
        kind = schema.get("discriminator", {}).get("propertyName")
        yield from (f"One of these{f', by `{kind}`' if kind else ''}:", "")
        yield from (f"- {_type(each)}" for each in schema["oneOf"])
    elif schema.get("properties"):
        yield from ("| field | type | |", "|---|---|---|")
        for field, each in schema["properties"].items():
            needed = "always" if field in schema.get("required", ()) else "optional"
            yield f"| `{field}` | {_type(each)}{_default(each)} | {needed} |"
    elif "enum" in schema:
        yield _type(schema)


def _type(schema: Schema) -> str:
    """Return a type in words, with links to schemas."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    for joined in ("anyOf", "oneOf"):
        if joined in schema:
            return " or ".join(_type(each) for each in schema[joined])
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return ", ".join(f"`{each}`" for each in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    kind = schema.get("type", "anything")
    return f"{kind} ({schema['format']})" if "format" in schema else str(kind)


def _default(schema: Schema) -> str:
    return f", by default `{json.dumps(schema['default'])}`" if "default" in schema else ""


def _example(value: object) -> Iterator[str]:
    yield from ("```json", json.dumps(value, indent=2, ensure_ascii=False), "```", "")


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(document(ROUTES)), encoding="utf-8")
