"""The OpenAPI document, generated from the table of routes and its types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import lpad
from lpad.api.description.change_and_error_schemas import by_kind
from lpad.api.description.operation_generation import operation_of, statuses_of
from lpad.api.description.operation_texts import TAGS
from lpad.api.description.schemas import REF, schemas_of
from lpad.api.request.problem import Problem
from lpad.api.request.request_bodies import NoBody
from lpad.base.errors import details_by_kind
from lpad.engine.change.types_by_kind import KINDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lpad.api.request.route import Route

_DESCRIPTION = """\
Local Profile Assistant: HTTP/1.1 with JSON over a Unix socket, `/run/lpad/lpad.sock` unless the settings name
another path.

No request carries credentials. The kernel identifies the calling user to lpad, and the setting `access` gives
users and groups their roles; each operation names the role that it needs. docs/api.md explains changes,
guards, errors and the stream of events.
"""


def document(routes: Sequence[Route]) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of the routes."""
    told = {route.answer for route in routes if not isinstance(route.answer, str)}
    told |= {Problem, *details_by_kind().values()}
    told |= {type_ for row in KINDS.values() for type_ in (row.params, row.result)}
    asked = {route.body for route in routes if route.body is not NoBody}
    refs, components = schemas_of(asked=asked, told=told)
    by_kind(components, refs, statuses={status for route in routes for status in statuses_of(route)})
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = operation_of(route, refs)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "lpad",
            "version": lpad.__version__,
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "http://lpad", "description": "the socket; the host name has no meaning"}],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "security": [],
        "paths": paths,
        "components": {"schemas": _used(components, paths)},
    }


def _used(components: dict[str, Any], paths: dict[str, Any]) -> dict[str, Any]:
    """Return the schemas that the paths refer to, directly or indirectly."""
    found: set[str] = set()
    ahead: list[object] = [paths]
    while ahead:
        match ahead.pop():
            case {"$ref": str(ref)} if (name := ref.removeprefix(REF)) not in found:
                found.add(name)
                ahead.append(components[name])
            case dict() as each:
                ahead += each.values()
            case list() as each:
                ahead += each
    return {name: schema for name, schema in components.items() if name in found}
