"""One row of the API's table of routes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import field

from lpad.api.request.request_bodies import NoBody
from lpad.base.frozen import Frozen

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import msgspec
    from starlette.responses import Response

    from lpad.api.request.api_call import Call
    from lpad.api.request.roles import Role

    Handler = Callable[[Call], Awaitable[Response]]


class Route(Frozen):
    """A path and method, with the handler and the types of request and answer.

    `answer` is the answer's type, or its media types as a text if it has no type.
    """

    method: str
    path: str
    role: Role | None
    handler: Handler
    answer: type | str
    body: type[msgspec.Struct] = NoBody
    query: tuple[str, ...] = field(default=())
