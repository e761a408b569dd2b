"""The event stream.

Server-Sent Events with IDs, so that a disconnected listener can continue where it stopped.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import msgspec
from starlette.responses import StreamingResponse

from lpad.api.request.api_call import MOST_CHANGES, either, wake
from lpad.api.request.roles import Role
from lpad.base.errors import InvalidValue
from lpad.base.untrusted_number import whole_number
from lpad.engine.change.event_hub import Event

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.responses import Response

    from lpad.api.request.api_call import Call

HEARTBEAT = 120.0
"""Seconds between comments on a quiet stream; they reveal a dead listener, and wake the daemon."""


async def stream_events(call: Call) -> Response:
    """Stream events: `change`, `progress`, `euicc`, `notification`, `lost`; `?change=`, `?euicc=` filter."""
    named = call.query.get("change")
    wanted = None if named is None else whole_number(named, most=MOST_CHANGES)
    if named is not None and wanted is None:
        raise InvalidValue("'change' must be the number of a change")
    euicc = call.query.get("euicc")
    after = call.headers.get("last-event-id") or call.query.get("after")
    return StreamingResponse(
        _stream(call, wanted, euicc, after),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store"},
    )


async def _stream(
    call: Call, change: int | None, euicc: str | None, after: str | None
) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    news = asyncio.Event()
    subscription = call.engine.subscribe(partial(wake, loop, news), after=after)
    try:
        # This tells the listener that it is connected, and from which event on.
        yield _wire(Event(id=subscription.start, type="listening", euicc=None, change=None, data={}))
        while not call.closing.is_set() and call.has(Role.READ):
            news.clear()
            for event in subscription.take():
                if _fits(event, change, euicc):
                    yield _wire(event)
            if not await either(news, call.closing, within=HEARTBEAT):
                yield b": still here\n\n"
    finally:
        subscription.close()


def _fits(event: Event, change: int | None, euicc: str | None) -> bool:
    if event.type == "lost":
        return True
    return (change is None or event.change == change) and (euicc is None or event.euicc == euicc)


def _wire(event: Event) -> bytes:
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (
        event.id.encode(),
        event.type.encode(),
        msgspec.json.encode(event.data),
    )
