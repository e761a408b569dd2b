"""One operation of the OpenAPI document, generated from its route."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from lpad.api.description import examples
from lpad.api.description.change_and_error_schemas import problem_ref
from lpad.api.description.operation_texts import TEXTS, group_of
from lpad.api.description.parameters import (
    ETAG,
    IF_NONE_MATCH,
    KEY,
    LAST_EVENT_ID,
    LOCATION,
    REPLAYED,
    RETRY,
    parameters,
)
from lpad.api.request.answer_views import ProductList
from lpad.api.request.problem import MEDIA_TYPE, problems
from lpad.api.request.request_bodies import NoBody
from lpad.api.request.roles import ROLE_FOR
from lpad.engine.change.change import Change

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lpad.api.description.schemas import Schema
    from lpad.api.request.route import Route

STREAM = "text/event-stream"
_EVENT = {
    "description": "one event; docs/api.md lists the types of events with their data",
    "type": "object",
    "required": ["id", "event", "data"],
    "properties": {
        "id": {"type": "string", "pattern": "^([0-9a-f]{6}-)?[0-9]+$"},
        "event": {"type": "string"},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
}


def operation_of(route: Route, refs: Mapping[type, Schema]) -> dict[str, Any]:
    """Return the description of a route.

    Args:
        refs: references to the schemas of the types of requests and answers.
    """
    name = getattr(route.handler, "__name__", "")
    role = route.role or f"depends on the change: {', '.join(f'{k} {r}' for k, r in ROLE_FOR.items())}"
    headers: list[dict[str, Any]] = []
    if route.answer == STREAM:
        headers.append(LAST_EVENT_ID)
    elif route.method == "GET":
        headers.append(IF_NONE_MATCH)
    elif _takes_key(route):
        headers.append(KEY)
    operation: dict[str, Any] = {
        "operationId": name,
        "tags": [group_of(route.path)],
        "summary": (route.handler.__doc__ or "").strip().splitlines()[0],
        "description": f"{TEXTS[name]}\n\nThe caller needs the role: {role}.",
        "x-role": role,
        "parameters": [*parameters(route), *headers],
        "responses": {**_good(route, refs), **_bad(route)},
    }
    if route.body is not NoBody:
        content = {"schema": refs[route.body], "example": examples.REQUESTS[route.body]}
        operation["requestBody"] = {
            "required": any(field.required for field in msgspec.structs.fields(route.body)),
            "content": {"application/json": content},
        }
    return operation


def statuses_of(route: Route) -> set[int]:
    """Return the HTTP statuses of the problems that a route can answer with."""
    statuses = {400, 403, 408, 500, 503}
    if "{" in route.path:
        statuses.add(404)
    if "{iccid}" in route.path:
        statuses.add(409)
    if route.method != "GET":
        statuses |= {409, 422, 429} if _takes_key(route) else {409}
    if route.answer is ProductList:  # the platform answers while the caller waits
        statuses |= {502, 504}
    return statuses


def _takes_key(route: Route) -> bool:
    """Return whether a route accepts an idempotency key, because it creates or answers a change."""
    return (
        route.method != "GET"
        and route.answer is Change
        and not (route.method == "DELETE" and "{id}" in route.path)
    )


def _good(route: Route, refs: Mapping[type, Schema]) -> dict[str, Any]:
    name = getattr(route.handler, "__name__", "")
    content: dict[str, Any]
    if isinstance(route.answer, str):
        content = {media_type: {"schema": _schema(media_type)} for media_type in route.answer.split(" | ")}
    else:
        content = {"application/json": {"schema": refs[route.answer]}}
    if (example := examples.answer_of(name, route.answer)) is not None:
        for each in content.values():
            each["example"] = example
    headers: dict[str, Any] = {}
    if route.method == "GET" and route.answer != STREAM:
        headers["ETag"] = ETAG
    if route.answer is Change:
        headers["Location"] = LOCATION
    if _takes_key(route):
        headers["Idempotent-Replayed"] = REPLAYED
    responses: dict[str, Any] = {
        "200": {"description": "the answer", "content": content, "headers": headers},
    }
    if route.answer is Change and route.method != "GET":
        responses["202"] = {**responses["200"], "description": "the change is in progress; Location names it"}
    elif route.method == "GET" and route.answer != STREAM:
        responses["304"] = {"description": "unchanged: the ETag is still valid", "headers": {"ETag": ETAG}}
    return responses


def _bad(route: Route) -> dict[str, Any]:
    """Return the description of a route's problems, by HTTP status; each names its kinds."""
    responses: dict[str, Any] = {}
    for status in sorted(statuses_of(route)):
        responses[str(status)] = {
            "description": " or ".join(kind.replace("-", " ") for kind in problems(status)),
            "content": {MEDIA_TYPE: {"schema": problem_ref(status)}},
        }
        if status in (429, 503):
            responses[str(status)]["headers"] = {"Retry-After": RETRY}
    return responses


def _schema(media_type: str) -> Schema:
    if media_type.startswith("image/"):
        return {"type": "string", "format": "binary"}
    if media_type == STREAM:
        return _EVENT
    return {"type": "object"} if media_type == "application/json" else {"type": "string"}
