"""The parameters and headers of the operations."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from lpad.api.handlers.events import FORMS
from lpad.api.request.api_call import LONGEST_KEY, LONGEST_WAIT, MOST_CHANGES
from lpad.api.request.pagination import MOST_AT_ONCE
from lpad.api.request.problem import RETRY_AFTER
from lpad.base.untrusted_number import LARGEST
from lpad.engine.listeners.listener_position import NAME

if TYPE_CHECKING:
    from lpad.api.description.schemas import Schema
    from lpad.api.request.route import Route

_NUMBER = {"type": "integer", "format": "int64", "minimum": 0, "maximum": MOST_CHANGES}
_QUERY: dict[str, tuple[Schema, str]] = {
    "wait": (
        {"type": "number", "minimum": 0, "maximum": LONGEST_WAIT, "default": 0},
        "seconds to wait for the change to end or to ask a question",
    ),
    "missing": (
        {"type": "string", "enum": ["ok", "error"], "default": "error"},
        "'ok': a missing profile is not an error",
    ),
    "euicc": ({"type": "string"}, "only the events or the changes of this card"),
    "change": (_NUMBER, "only events of this change"),
    "limit": (
        {"type": "integer", "format": "int64", "minimum": 1, "maximum": MOST_AT_ONCE},
        "the maximum number of entries in the answer; without `limit`, all",
    ),
    "before": (
        {"type": "integer", "format": "int64", "minimum": 1, "maximum": MOST_CHANGES},
        "only changes with lower numbers: `next` of the previous page",
    ),
    "after": (
        {"type": "string"},
        "only later entries: in a list, `next` of the previous page; in the stream, the last event's ID",
    ),
    "form": (
        {"type": "string", "enum": [*FORMS], "default": FORMS[0]},
        "'cloudevents': the stream has the events of /v1/event-types, and resumes even after a restart",
    ),
    "listener": (
        {"type": "string", "pattern": f"^{NAME.pattern}$"},
        "with 'cloudevents', the name under which lpad remembers which events this listener acknowledged",
    ),
}
_PATH: dict[str, tuple[Schema, str, object]] = {
    "name": (
        {"type": "string"},
        "the card's, the platform's or the webhook's name in the settings, or the listener's name",
        "modem",
    ),
    "iccid": (
        {
            "type": "string",
            "pattern": "^([0-9A-Ea-e]{1,18}[Ff]{0,2}|[0-9A-Ea-e]{19,20}[Ff]?|([0-9A-Fa-f]{2}){11,16})$",
        },
        "the profile's ICCID, with or without padding, or its AID",
        "8944501234567890123",
    ),
    "id": (_NUMBER, "the change's number", 7),
    "seq": (
        {"type": "integer", "format": "int64", "minimum": -LARGEST - 1, "maximum": LARGEST},
        "the notification's sequence number on its card",
        3,
    ),
}
_TEXT = {"type": "string"}
LOCATION = {"description": "the change's path", "schema": {"type": "string", "pattern": "^/v1/changes/"}}
REPLAYED = {
    "description": "an earlier request led to this change",
    "schema": {"type": "string", "enum": ["true"]},
}
RETRY = {
    "description": "seconds after which to try again",
    "schema": {"type": "integer", "format": "int64", "enum": [*RETRY_AFTER.values()]},
}
ETAG = {"description": "identifies this answer's content; see If-None-Match", "schema": _TEXT}
KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "schema": {"type": "string", "pattern": f"^[!-~]{{1,{LONGEST_KEY}}}$"},
    "description": "a long random string; lpad carries out a repeated request with the same key only once",
}
IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "schema": _TEXT,
    "description": "the ETag of an earlier answer: lpad answers 304 if nothing has changed",
}
LAST_EVENT_ID = {
    "name": "Last-Event-ID",
    "in": "header",
    "schema": _TEXT,
    "description": "the ID of the last event seen: the stream continues after it",
}


def parameters(route: Route) -> list[dict[str, Any]]:
    """Return the parameters in the path and the query of a route."""
    found: list[dict[str, Any]] = []
    for name in re.findall(r"{(\w+)}", route.path):
        schema, description, example = _PATH[name]
        shown = {"name": name, "in": "path", "required": True, "schema": schema}
        found.append(shown | {"description": description, "example": example})
    for name in route.query:
        schema, description = _QUERY[name]
        shown = {"name": name, "in": "query", "required": False, "schema": schema}
        found.append(shown | {"description": description})
    return found
