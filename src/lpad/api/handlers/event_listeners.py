"""The API's handlers for programs on this device that listen to events under a name."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from lpad.api.request.api_call import MOST_CHANGES, json_response
from lpad.api.request.event_delivery_bodies import Acknowledgement, ListenerList, ListenerView
from lpad.api.request.pagination import page_of_names
from lpad.api.request.roles import Role
from lpad.base.errors import InvalidValue
from lpad.engine.listeners.listeners import Asker

if TYPE_CHECKING:
    from starlette.responses import Response

    from lpad.api.request.api_call import Call
    from lpad.engine.listeners.listeners import ListenerStatus


async def list_listeners(call: Call) -> Response:
    """List the named listeners of the event stream, and the position of each."""
    found = await asyncio.to_thread(call.engine.listeners.all)
    shown, following = page_of_names(call, found, name=lambda each: each.name)
    return json_response(ListenerList(listeners=[_view(each) for each in shown], next=following))


async def acknowledge_events(call: Call) -> Response:
    """Acknowledge all events up to a number for a listener; only its user or an admin may do this."""
    position = call.body_of(Acknowledgement).position
    if not 0 <= position <= MOST_CHANGES:
        raise InvalidValue("'position' must be the number of an event")
    acknowledge = partial(call.engine.listeners.acknowledge, position=position)
    return json_response(_view(await asyncio.to_thread(acknowledge, call.path["name"], asker(call))))


async def forget_listener(call: Call) -> Response:
    """Forget a listener, so that no event waits for it; only its user or an admin may do this."""
    found = await asyncio.to_thread(call.engine.listeners.forget, call.path["name"], asker(call))
    return json_response(_view(found))


def asker(call: Call) -> Asker:
    """Return the caller's user, and whether the caller is an admin."""
    return Asker(user=call.peer.uid, admin=call.has(Role.ADMIN))


def _view(found: ListenerStatus) -> ListenerView:
    return ListenerView(
        name=found.name,
        user=found.user,
        connected=found.connected,
        position=found.position,
        pending=found.pending,
        absent_seconds=round(found.absent, 3),
    )
