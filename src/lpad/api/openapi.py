"""The OpenAPI document, made from the table of routes and the types that it names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

import lpad
from lpad.api.bodies import NoBody
from lpad.api.problem import MEDIA_TYPE, Problem
from lpad.engine.change import Change

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lpad.api.routes import Route

_QUERY = {
    "wait": ("number", "seconds to wait for the change to end or to ask something"),
    "missing": ("string", "'ok': a profile that isn't there is no error"),
    "euicc": ("string", "only this card's"),
    "change": ("integer", "only this change's"),
    "after": ("string", "the ID of the last event seen, as in the header Last-Event-ID"),
}


def document(routes: Sequence[Route]) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of the routes."""
    types = {route.answer for route in routes if not isinstance(route.answer, str)}
    types |= {route.body for route in routes if route.body is not NoBody}
    ordered = sorted([*types, Problem], key=lambda type_: type_.__name__)
    schemas, components = msgspec.json.schema_components(ordered, ref_template="#/components/schemas/{name}")
    refs = dict(zip(ordered, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, refs)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "lpad",
            "version": lpad.__version__,
            "description": "Local Profile Assistant. HTTP/1.1 over a Unix socket; see docs/api.md.",
        },
        "paths": paths,
        "components": {"schemas": components},
    }


def _operation(route: Route, refs: dict[type, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": getattr(route.handler, "__name__", ""),
        "summary": (route.handler.__doc__ or "").strip().splitlines()[0],
        "x-role": route.role or "that of the change",
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in re.findall(r"{(\w+)}", route.path)
        ]
        + [
            {"name": name, "in": "query", "schema": {"type": _QUERY[name][0]}, "description": _QUERY[name][1]}
            for name in route.query
        ],
        "responses": _responses(route, refs),
    }
    if route.body is not NoBody:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": refs[route.body]}},
        }
    return operation


def _responses(route: Route, refs: dict[type, Any]) -> dict[str, Any]:
    if isinstance(route.answer, str):
        good: dict[str, Any] = {"description": "as the media type says", "content": {route.answer: {}}}
    else:
        good = {
            "description": "the answer",
            "content": {"application/json": {"schema": refs[route.answer]}},
        }
    responses = {
        "200": good,
        "default": {"description": "an error", "content": {MEDIA_TYPE: {"schema": refs[Problem]}}},
    }
    if route.answer is Change and route.method != "GET":
        responses["202"] = {**good, "description": "the change is under way; Location names it"}
    return responses
