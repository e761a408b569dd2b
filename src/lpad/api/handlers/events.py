"""The event stream.

Server-Sent Events with IDs, so that a disconnected listener can continue where it stopped.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import msgspec
from starlette.responses import StreamingResponse

from lpad.api.handlers.cloud_event_stream import HEARTBEAT, Filters, from_outbox, wire
from lpad.api.handlers.event_listeners import asker
from lpad.api.request.api_call import MOST_CHANGES, either, json_response, wake
from lpad.api.request.event_delivery_bodies import EventTypeList, EventTypeView
from lpad.api.request.pagination import page
from lpad.api.request.roles import Role
from lpad.base.errors import InvalidValue
from lpad.base.untrusted_number import whole_number
from lpad.engine.change.event_subscriptions import Event
from lpad.engine.events.event_types import EVENT_TYPES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.responses import Response

    from lpad.api.request.api_call import Call

_CHANGING = "lpad"
FORMS = (_CHANGING, "cloudevents")
"""The forms of the event stream; the first form is for programs that show progress."""


async def list_event_types(call: Call) -> Response:
    """List the types of events that leave the device, each with the JSON schema of its data."""
    found, following = page(call, EVENT_TYPES)
    types = [
        EventTypeView(type=each.name, means=each.means, droppable=each.droppable, data_schema=each.schema())
        for each in found
    ]
    return json_response(EventTypeList(types=types, next=following))


async def stream_events(call: Call) -> Response:
    """Stream events such as `change`, `progress`, `euicc` and `lost`; `?change=` and `?euicc=` filter.

    With `?form=cloudevents`, the events are those of `/v1/event-types`, from the outbox. With
    `?listener=NAME`, events count as awaited until the listener acknowledges them.
    """
    named = call.query.get("change")
    wanted = None if named is None else whole_number(named, most=MOST_CHANGES)
    if named is not None and wanted is None:
        raise InvalidValue("'change' must be the number of a change")
    euicc = call.query.get("euicc")
    after = call.headers.get("last-event-id") or call.query.get("after")
    form = call.query.get("form", _CHANGING)
    if form not in FORMS:
        raise InvalidValue(f"'form' must be {' or '.join(FORMS)}")
    filters = Filters(change=wanted, euicc=euicc)
    listener = call.query.get("listener")
    if listener is not None:
        after = await _admitted(call, listener, filters, after)
    return StreamingResponse(
        _stream(call, filters, after)
        if form == _CHANGING
        else from_outbox(call, filters, after, listener=listener),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store"},
    )


async def _admitted(call: Call, listener: str, filters: Filters, after: str | None) -> str:
    """Admit a named listener, and return the number of the event after which it continues.

    Raises:
        InvalidValue: the request does not fit a named listener.
        LpadError: see `Listeners.connect`.
    """
    if call.query.get("form") != "cloudevents" or filters != Filters(change=None, euicc=None):
        raise InvalidValue("'listener' needs form=cloudevents, and accepts neither 'change' nor 'euicc'")
    seen = None if after is None else whole_number(after, most=MOST_CHANGES) or 0
    connect = partial(call.engine.listeners.connect, after=seen)
    position = await asyncio.to_thread(connect, listener, asker(call))
    return str(position) if after is None else after


async def _stream(call: Call, filters: Filters, after: str | None) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    news = asyncio.Event()
    subscription = call.engine.subscribe(partial(wake, loop, news), after=after)
    try:
        # This event confirms the connection; its ID is that of the last event before the listener's first.
        yield _wire(Event(id=subscription.start, type="listening", euicc=None, change=None, data={}))
        while not call.closing.is_set() and call.has(Role.READ):
            news.clear()
            for event in subscription.take():
                if event.type == "lost" or filters.admit(event.change, event.euicc):
                    yield _wire(event)
            if not await either(news, call.closing, within=HEARTBEAT):
                yield b": still here\n\n"
    finally:
        subscription.close()


def _wire(event: Event) -> bytes:
    return wire(event.id, event.type, msgspec.json.encode(event.data))
