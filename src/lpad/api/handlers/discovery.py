"""Discovery: the request that finds the servers at which profiles wait for a card."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from lpad.api.request.api_call import submission_response
from lpad.api.request.request_bodies import DiscoverRequest
from lpad.api.request.roles import ROLE_FOR
from lpad.base.errors import InvalidValue
from lpad.base.server_address import ServerAddress
from lpad.engine.change.change import Kind
from lpad.engine.change.params import DiscoverParams

if TYPE_CHECKING:
    from starlette.responses import Response

    from lpad.api.request.api_call import Call


async def discover(call: Call) -> Response:
    """Ask the SM-DSs which profiles wait for a card; with `install`, download them."""
    body = call.body_of(DiscoverRequest)
    if body.install:
        call.check(ROLE_FOR[Kind.ENABLE])
    elif body.confirm:
        raise InvalidValue(
            "'confirm' applies only to an installation; add 'install': true, or omit 'confirm'"
        )
    asked = DiscoverParams(
        install=body.install,
        confirm=body.confirm,
        servers=tuple(str(ServerAddress.parse(each)) for each in body.servers),
    )
    _ = call.wait  # an invalid `wait` is refused before a change is created
    name = call.path["name"]
    key = call.key(name, Kind.DISCOVER, asked, None)
    submission = await asyncio.to_thread(call.engine.submit, name, asked, key=key, asked_by=call.peer.uid)
    return await submission_response(call, submission)
