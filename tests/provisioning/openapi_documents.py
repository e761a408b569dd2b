"""The OpenAPI documents of platforms: the vendors' ones if available, otherwise lpad's own."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

OWN = Path(__file__).with_name("own_openapi")
"""The folder of lpad's own documents, each of which states its source."""
_VENDORS = {
    "twilio": "twilio_supersim_esim.openapi.json",
    "kore": "kore_supersim_esim.openapi.json",
    "soracom": "soracom_esim_orders.openapi.json",
}
_SUPER_SIM = ("twilio", "kore")
_PREFIXES = {"soracom": "/v1"}
_METHODS = ("get", "post", "put", "patch", "delete")
VENDORS = tuple(_VENDORS)
"""The platforms whose vendors publish an OpenAPI document."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One call in a document.

    Attributes:
        method: the HTTP method in capitals.
        path: a pattern that matches the whole path.
        parameters: the schema of each parameter in the query, by name.
        body: the schema of the request's body, or None if there is none.
        answers: by status, the schema of the answer's JSON, or None if there is none.
    """

    method: str
    path: str
    parameters: dict[str, Any]
    body: dict[str, Any] | None
    answers: dict[int, dict[str, Any] | None]


def own_document(like: str) -> dict[str, Any]:
    """Return lpad's own document of a platform."""
    name = "super_sim" if like in _SUPER_SIM else like
    document: dict[str, Any] = yaml.safe_load((OWN / f"{name}.yaml").read_text(encoding="utf-8"))
    return document


def document(like: str) -> dict[str, Any]:
    """Return the vendor's document if LPAD_TEST_DATA has it, otherwise lpad's own."""
    data = os.environ.get("LPAD_TEST_DATA")
    if data is None or like not in _VENDORS:
        return own_document(like)
    path = Path(data) / "platforms" / _VENDORS[like]
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if like in _SUPER_SIM:
        # The address is declared as a URI, but every example in the document has a bare host.
        profile = found["components"]["schemas"]["supersim.v1.esim_profile"]["properties"]
        del profile["smdp_plus_address"]["format"]
    return found


def prefix(like: str) -> str:
    """Return the path that precedes the paths in a platform's document."""
    return _PREFIXES.get(like, "")


def operations(found: dict[str, Any], before: str = "") -> list[Operation]:
    """Return all calls of a document."""
    made = []
    for path, item in found["paths"].items():
        for method in _METHODS:
            if method not in item:
                continue
            operation = item[method]
            parameters = [*item.get("parameters", []), *operation.get("parameters", [])]
            made.append(
                Operation(
                    method.upper(),
                    re.escape(before) + re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(path)),
                    {
                        each["name"]: _rooted(each["schema"], found)
                        for each in parameters
                        if each["in"] == "query"
                    },
                    _content(operation.get("requestBody", {}), found),
                    {int(status): _content(each, found) for status, each in operation["responses"].items()},
                )
            )
    return made


def _content(holder: dict[str, Any], found: dict[str, Any]) -> dict[str, Any] | None:
    content = holder.get("content", {})
    schema = next((each["schema"] for each in content.values() if "schema" in each), None)
    return None if schema is None else _rooted(schema, found)


def _rooted(schema: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """Return a self-contained schema, with OpenAPI's `nullable` in the terms of JSON Schema."""
    components: dict[str, Any] = _converted(found.get("components", {}).get("schemas", {}))
    made: dict[str, Any] = _converted(schema)
    return {"allOf": [made], "components": {"schemas": components}}


def _converted(value: Any) -> Any:
    if isinstance(value, list):
        return [_converted(each) for each in value]
    if not isinstance(value, dict):
        return value
    made = {name: _converted(each) for name, each in value.items() if name != "nullable"}
    if "properties" in made and isinstance(made["properties"], dict) and made.get("type") == "object":
        made.setdefault("additionalProperties", False)  # extra fields are not allowed
    return {"anyOf": [made, {"type": "null"}]} if value.get("nullable") is True else made
