"""The OpenAPI document, generated from the table of routes and its types."""

from __future__ import annotations

import re
from inspect import cleandoc
from typing import TYPE_CHECKING, Any

import msgspec

import lpad
from lpad.api.handlers.changes import MOST_AT_ONCE
from lpad.api.handlers.events import FORMS
from lpad.api.request.api_call import LONGEST_KEY, LONGEST_WAIT, MOST_CHANGES
from lpad.api.request.bodies import NoBody
from lpad.api.request.problem import MEDIA_TYPE, RETRY_AFTER, Problem, problems
from lpad.api.request.roles import ROLE_FOR
from lpad.base.untrusted_number import LARGEST
from lpad.engine.change.change import Change
from lpad.engine.change.kinds import DETAILS, KINDS
from lpad.engine.listeners.listener_record import NAME

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lpad.api.route import Route

_NUMBER = {"type": "integer", "minimum": 0, "maximum": MOST_CHANGES}
_QUERY: dict[str, tuple[dict[str, Any], str]] = {
    "wait": (
        {"type": "number", "minimum": 0, "maximum": LONGEST_WAIT, "default": 0},
        "seconds to wait for the change to end or to ask a question",
    ),
    "missing": (
        {"type": "string", "enum": ["ok", "error"], "default": "error"},
        "'ok': a missing profile is not an error",
    ),
    "euicc": ({"type": "string"}, "only events of this card, or only its changes"),
    "change": (_NUMBER, "only events of this change"),
    "limit": (
        {"type": "integer", "minimum": 1, "maximum": MOST_AT_ONCE},
        "at most this many; without it, all",
    ),
    "before": (
        {"type": "integer", "minimum": 1, "maximum": MOST_CHANGES},
        "only changes with lower numbers: `next` of the page before",
    ),
    "after": ({"type": "string"}, "the ID of the last event seen, as in the header Last-Event-ID"),
    "form": (
        {"type": "string", "enum": [*FORMS], "default": FORMS[0]},
        "'cloudevents': the events of /v1/event-types, which a listener resumes even after a restart",
    ),
    "listener": (
        {"type": "string", "pattern": f"^{NAME.pattern}$"},
        "with 'cloudevents', the name under which lpad remembers what this listener has acknowledged",
    ),
}
_ICCID = "[0-9A-Ea-e]{1,18}[Ff]{0,2}|[0-9A-Ea-e]{19,20}[Ff]?"
_PATH: dict[str, tuple[dict[str, Any], str]] = {
    "name": (
        {"type": "string"},
        "the card's, the platform's or the webhook's name in the settings, or the listener's",
    ),
    "iccid": (
        {
            "type": "string",
            "pattern": "^([0-9A-Ea-e]{1,18}[Ff]{0,2}|[0-9A-Ea-e]{19,20}[Ff]?|([0-9A-Fa-f]{2}){11,16})$",
        },
        "the profile's ICCID, with or without padding, or its AID",
    ),
    "id": (_NUMBER, "the change's number"),
    "seq": (
        {"type": "integer", "minimum": -LARGEST - 1, "maximum": LARGEST},
        "the notification's sequence number on its card",
    ),
}
_SCHEMAS = "#/components/schemas/"
_TEXT = {"type": "string"}
_LOCATION = {"description": "the change's path", "schema": {"type": "string", "pattern": "^/v1/changes/"}}
_REPLAYED = {
    "description": "an earlier request led to this change",
    "schema": {"type": "string", "enum": ["true"]},
}
_RETRY_AFTER = {"description": "seconds", "schema": {"type": "integer", "enum": [*RETRY_AFTER.values()]}}
_ETAG = {"description": "identifies this answer's content; see If-None-Match", "schema": _TEXT}
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "schema": {"type": "string", "pattern": f"^[!-~]{{1,{LONGEST_KEY}}}$"},
    "description": "a long random string: a repeated request with the same key starts nothing a second time",
}
_IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "schema": _TEXT,
    "description": "the ETag of an earlier answer: lpad answers 304 if nothing has changed",
}
_LAST_EVENT_ID = {
    "name": "Last-Event-ID",
    "in": "header",
    "schema": _TEXT,
    "description": "the ID of the last event seen: the stream continues after it",
}
STREAM = "text/event-stream"
_EVENT = {
    "description": "one event; docs/api.md lists them with their data",
    "type": "object",
    "required": ["id", "event", "data"],
    "properties": {
        "id": {"type": "string", "pattern": "^([0-9a-f]{6}-)?[0-9]+$"},
        "event": {"type": "string"},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
}


def document(routes: Sequence[Route]) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of the routes."""
    types = {route.answer for route in routes if not isinstance(route.answer, str)}
    types |= {route.body for route in routes if route.body is not NoBody}
    types |= {Problem, *DETAILS.values()}
    types |= {type_ for row in KINDS.values() for type_ in (row.params, row.result)}
    ordered = sorted(types, key=lambda type_: type_.__name__)
    schemas, components = msgspec.json.schema_components(ordered, ref_template=f"{_SCHEMAS}{{name}}")
    for schema in components.values():
        # msgspec before 0.23 leaves the indentation of a docstring's further lines in the description
        schema["description"] = cleandoc(schema.get("description", ""))
    refs = dict(zip(ordered, schemas, strict=True))
    components |= _changes(components.pop("Change"), refs) | _errors(components, refs)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, refs)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "lpad",
            "version": lpad.__version__,
            "description": "Local Profile Assistant. HTTP/1.1 over a Unix socket; see docs/api.md.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "http://lpad", "description": "the socket; the host name has no meaning"}],
        "paths": paths,
        "components": {"schemas": components},
    }


def _changes(record: dict[str, Any], refs: dict[type, Any]) -> dict[str, Any]:
    """Return the schema of a change: one for each kind, with its parameters and its result."""
    told: dict[str, Any] = {"ChangeRecord": record}
    mapping = {}
    for kind, row in KINDS.items():
        name = f"{_title(kind)}Change"
        result = {"anyOf": [refs[row.result], {"type": "null"}]}
        properties = {"kind": {"const": kind}, "params": refs[row.params], "result": result}
        own = {"type": "object", "properties": properties}
        told[name] = {"allOf": [{"$ref": f"{_SCHEMAS}ChangeRecord"}, own]}
        mapping[kind.value] = f"{_SCHEMAS}{name}"
    told["Change"] = {
        "description": record["description"],
        "oneOf": [{"$ref": ref} for ref in mapping.values()],
        "discriminator": {"propertyName": "kind", "mapping": mapping},
    }
    return told


def _errors(components: dict[str, Any], refs: dict[type, Any]) -> dict[str, Any]:
    """Return the schemas of errors in changes and answers: the kind decides the type of the details."""
    told: dict[str, Any] = {"OtherError": {"properties": {"kind": {"not": {"enum": [*DETAILS]}}}}}
    mapping = {}
    for kind, type_ in DETAILS.items():
        name = f"{_title(kind)}Error"
        told[name] = {"properties": {"kind": {"const": kind}, "details": refs[type_]}}
        mapping[kind] = f"{_SCHEMAS}{name}"
    told["Error"] = {
        "description": "each kind of error with its details",
        "oneOf": [{"$ref": f"{_SCHEMAS}{name}"} for name in told],
        "discriminator": {"propertyName": "kind", "mapping": mapping},
    }
    for name in ("Failure", "Problem"):
        told[f"{name}Record"] = components.pop(name)
        told[name] = {"allOf": [{"$ref": f"{_SCHEMAS}{each}"} for each in (f"{name}Record", "Error")]}
    return told


def _title(kind: str) -> str:
    return "".join(map(str.title, kind.split("-")))


def _operation(route: Route, refs: dict[type, Any]) -> dict[str, Any]:
    described = [("path", name, *_PATH[name]) for name in re.findall(r"{(\w+)}", route.path)]
    described += [("query", name, *_QUERY[name]) for name in route.query]
    parameters = [
        {"name": name, "in": where, "required": where == "path", "schema": schema, "description": told}
        for where, name, schema, told in described
    ]
    if route.answer == STREAM:
        parameters.append(_LAST_EVENT_ID)
    elif route.method == "GET":
        parameters.append(_IF_NONE_MATCH)
    elif _takes_key(route):
        parameters.append(_KEY)
    operation: dict[str, Any] = {
        "operationId": getattr(route.handler, "__name__", ""),
        "summary": (route.handler.__doc__ or "").strip().splitlines()[0],
        "x-role": route.role
        or f"depends on the change: {', '.join(f'{k} {r}' for k, r in ROLE_FOR.items())}",
        "parameters": parameters,
        "responses": {**_good(route, refs), **_bad(route, refs)},
    }
    if route.body is not NoBody:
        operation["requestBody"] = {
            "required": any(field.required for field in msgspec.structs.fields(route.body)),
            "content": {"application/json": {"schema": refs[route.body]}},
        }
    return operation


def _takes_key(route: Route) -> bool:
    """Whether the route creates or answers a change; a cancellation needs no key."""
    return (
        route.method != "GET"
        and route.answer is Change
        and not (route.method == "DELETE" and "{id}" in route.path)
    )


def _good(route: Route, refs: dict[type, Any]) -> dict[str, Any]:
    if isinstance(route.answer, str):
        content = {media_type: {"schema": _schema(media_type)} for media_type in route.answer.split(" | ")}
    else:
        content = {"application/json": {"schema": refs[route.answer]}}
    headers: dict[str, Any] = {}
    if route.method == "GET" and route.answer != STREAM:
        headers["ETag"] = _ETAG
    if route.answer is Change:
        headers["Location"] = _LOCATION
    if _takes_key(route):
        headers["Idempotent-Replayed"] = _REPLAYED
    responses: dict[str, Any] = {
        "200": {"description": "the answer", "content": content, "headers": headers},
    }
    if route.answer is Change and route.method != "GET":
        responses["202"] = {**responses["200"], "description": "the change is in progress; Location names it"}
    elif route.method == "GET" and route.answer != STREAM:
        tag = {"ETag": _ETAG}
        responses["304"] = {"description": "nothing has changed since that ETag", "headers": tag}
    return responses


def _bad(route: Route, refs: dict[type, Any]) -> dict[str, Any]:
    """Return the problems that a route can answer with, by status, each with its kinds."""
    statuses = {400, 403, 408, 500, 503}
    if "{" in route.path:
        statuses.add(404)
    if "{iccid}" in route.path:
        statuses.add(409)
    if route.method != "GET":
        statuses |= {409, 422, 429} if _takes_key(route) else {409}
    responses: dict[str, Any] = {}
    for status in sorted(statuses):
        kinds = problems(status)
        narrowed = {"properties": {"status": {"const": status}, "kind": {"enum": kinds}}}
        responses[str(status)] = {
            "description": " or ".join(kind.replace("-", " ") for kind in kinds),
            "content": {MEDIA_TYPE: {"schema": {"allOf": [refs[Problem], narrowed]}}},
        }
        if status in (429, 503):
            responses[str(status)]["headers"] = {"Retry-After": _RETRY_AFTER}
    return responses


def _schema(media_type: str) -> dict[str, Any]:
    if media_type.startswith("image/"):
        return {}
    if media_type == STREAM:
        return _EVENT
    return {"type": "object"} if media_type == "application/json" else _TEXT
