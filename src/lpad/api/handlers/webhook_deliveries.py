"""The API's handlers for the endpoints to which lpad sends events."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from lpad.api.request.api_call import MOST_CHANGES, json_response
from lpad.api.request.event_delivery_bodies import (
    Redelivered,
    RedeliverRequest,
    WebhookList,
    WebhookTestResult,
    WebhookView,
)
from lpad.api.request.pagination import page
from lpad.base.errors import InvalidValue
from lpad.engine.webhooks.delivery_attempt import Verdict

if TYPE_CHECKING:
    from starlette.responses import Response

    from lpad.api.request.api_call import Call
    from lpad.engine.change.steady_clock import Moment
    from lpad.engine.webhooks.webhooks import EndpointStatus


async def list_webhooks(call: Call) -> Response:
    """List the endpoints of the settings, and the progress of each."""
    found, following = page(call, await asyncio.to_thread(call.engine.webhooks.all))
    dropped = await asyncio.to_thread(call.engine.events.dropped)
    moment = call.engine.now()
    shown = [_view(each, moment) for each in found]
    return json_response(WebhookList(webhooks=shown, dropped=dropped, next=following))


async def try_webhook(call: Call) -> Response:
    """Send a test event to an endpoint now, even if it is paused, and show its answer."""
    outcome = await asyncio.to_thread(call.engine.webhooks.test, call.path["name"])
    return json_response(
        WebhookTestResult(
            accepted=outcome.verdict is Verdict.ACCEPTED,
            status=outcome.status,
            told=outcome.told,
            seconds=round(outcome.seconds, 3),
        )
    )


async def pause_webhook(call: Call) -> Response:
    """Send nothing to an endpoint until it is resumed; its events wait."""
    await asyncio.to_thread(call.engine.webhooks.pause, call.path["name"])
    return await _one(call)


async def resume_webhook(call: Call) -> Response:
    """Resume sending to a paused endpoint, or to one that has answered 410, and try immediately."""
    await asyncio.to_thread(call.engine.webhooks.resume, call.path["name"])
    return await _one(call)


async def redeliver_webhook(call: Call) -> Response:
    """Send an event again with the same ID; without a number, send every set-aside event again."""
    sequence = call.body_of(RedeliverRequest).sequence
    if sequence is not None and not 0 < sequence <= MOST_CHANGES:
        raise InvalidValue("'sequence' must be the number of an event")
    count = await asyncio.to_thread(call.engine.webhooks.redeliver, call.path["name"], sequence)
    return json_response(Redelivered(events=count))


async def _one(call: Call) -> Response:
    found = await asyncio.to_thread(call.engine.webhooks.get, call.path["name"])
    return json_response(_view(found, call.engine.now()))


def _view(found: EndpointStatus, moment: Moment) -> WebhookView:
    endpoint, progress = found.endpoint, found.progress
    return WebhookView(
        name=endpoint.name,
        server=f"{'https' if endpoint.url.encrypted else 'http'}://{endpoint.url.server}",
        types=list(endpoint.types),
        identifiers=endpoint.identifiers.value,
        mode="structured" if endpoint.structured else "binary",
        public_keys=[each.public for each in endpoint.keys if each.public is not None],
        state=progress.standing.value,
        position=progress.position,
        pending=found.pending,
        attempts=progress.attempts,
        next_attempt_at=None if progress.due is None else moment.date_of(progress.due),
        last=progress.last,
        last_status=progress.last_status,
        delivered=progress.delivered,
        given_up=progress.given_up,
        set_aside=sorted((*progress.set_aside, *progress.unreached)),
    )
