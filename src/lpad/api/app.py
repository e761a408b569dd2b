"""The application: it checks each request, finds its route, and answers every error as a problem."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING

from msgspec.structs import replace
from starlette.datastructures import State
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Match, Router
from starlette.routing import Route as StarletteRoute

from lpad.api.request.api_call import Call
from lpad.api.request.decoding import decoded
from lpad.api.request.etag import tagged
from lpad.api.request.problem import problem_response
from lpad.api.request.roles import ROLE_FOR, Role
from lpad.api.request.settings_file_state import Configuration
from lpad.api.routes import OF_CHANGE, ROUTES
from lpad.base.errors import Conflict, InternalError, InvalidValue, LpadError, NotFound, NotPermitted

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from starlette.types import Receive, Scope, Send

    from lpad.api.request.roles import AccessRules
    from lpad.api.request.route import Route
    from lpad.engine.engine import Engine

    Endpoint = Callable[[Request], Coroutine[None, None, Response]]

log = logging.getLogger(__name__)

LARGEST_BODY = 64 * 1024
"""The maximum size of a request's body in bytes; an activation code has at most 255."""


def make_app(engine: Engine, rules: AccessRules, closing: asyncio.Event) -> Application:
    """Return the ASGI application; its `state.rules` and `state.configuration` may be replaced later.

    Args:
        closing: an event that is set when the daemon stops; it ends streams and waits.
    """
    by_path: dict[str, dict[str, Route]] = {}
    for route in ROUTES:
        by_path.setdefault(route.path, {})[route.method] = route
    routes = [
        _PathRoute(path, _endpoint(partial(_serve, by_method, engine, closing)), methods=list(by_method))
        for path, by_method in by_path.items()
    ]
    app = Application(routes)
    app.state.rules = rules
    app.state.configuration = Configuration()
    return app


class Application:
    """The ASGI application: serves the paths of its routes, and answers all other paths with a problem.

    Starlette's own class would load middleware that this API does not use.
    """

    def __init__(self, routes: Sequence[StarletteRoute]) -> None:
        """Create the application for these routes, with an empty `state`."""
        self.state = State()
        self._router = Router(routes, redirect_slashes=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        scope["app"] = self
        try:
            await self._router(scope, receive, send)
        except HTTPException as error:
            await _without_route(Request(scope), error)(scope, receive, send)


class _PathRoute(StarletteRoute):
    """A path that matches every method, so that DELETE does not read `deliver` as a notification's number."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, child = super().matches(scope)
        return (Match.FULL if match is Match.PARTIAL else match), child


def _endpoint(answer: Endpoint) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        try:
            return await answer(request)
        except LpadError as error:
            return problem_response(error)
        except ClientDisconnect:
            return Response(status_code=400)  # the client is gone: its body ended too early
        except Exception as error:
            log.exception("%s %s: internal-error", request.method, request.url.path)
            # The answer omits the exception's text, which may contain a secret.
            sentence = (
                f"lpad failed on this request because of a fault in lpad ({type(error).__name__});"
                " see its log"
            )
            return problem_response(InternalError(sentence))

    return endpoint


async def _serve(
    by_method: dict[str, Route], engine: Engine, closing: asyncio.Event, request: Request
) -> Response:
    route = by_method["GET" if request.method == "HEAD" else request.method]
    call = Call(
        engine=engine,
        peer=request.state.peer,
        rules=lambda: request.app.state.rules,
        configuration=request.app.state.configuration,
        path=request.path_params,
        query=request.query_params,
        headers=request.headers,
        closing=closing,
    )
    try:
        role = await _check(call, route)
    except NotPermitted as error:
        log.warning(
            "%s %s by uid %d, pid %d: %s (%s)",
            request.method, route.path, call.peer.uid, call.peer.pid, error, error.kind,
        )  # fmt: skip
        raise
    unknown = set(request.query_params) - set(route.query)
    if unknown:
        known = f"it accepts {', '.join(route.query)}" if route.query else "it accepts none"
        raise InvalidValue(f"{route.path} accepts no parameter '{min(unknown)}'; {known}")
    call = replace(call, body=decoded(await _body(request), route.body))
    if role is not Role.READ:
        log.info("%s %s by uid %d, pid %d", request.method, route.path, call.peer.uid, call.peer.pid)
    response = await route.handler(call)
    return tagged(call, response) if route.method == "GET" else response


async def _check(call: Call, route: Route) -> Role:
    """Check that the caller has the role that the route requires, and return this role."""
    # A caller without the read role must not learn from the answer which changes exist.
    call.check(Role.READ)
    role = route.role
    if role is OF_CHANGE:
        change = await asyncio.to_thread(call.engine.change, call.change_id)
        role = ROLE_FOR[change.kind]
    call.check(role)
    return role


async def _body(request: Request) -> bytes:
    """Return the body; refuse one that is longer than any valid request."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY:
            raise InvalidValue(f"a request's body must have at most {LARGEST_BODY} bytes")
    return bytes(body)


def _without_route(request: Request, error: HTTPException) -> Response:
    """Return the answer to a request whose path or method is not in the table of routes."""
    path = request.url.path
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "")
        return problem_response(
            Conflict(f"{path} does not support the method {request.method}; it supports {allowed}"),
            status=405,
            headers={"Allow": allowed},
        )
    return problem_response(
        NotFound(f"there is no path {path}; GET /v1/openapi.json lists the paths"), status=error.status_code
    )
