"""The API's handlers for operators' platforms: requests for profiles, wishes, and products."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from lpad.api.request.answer_views import (
    LineView,
    PlatformList,
    PlatformView,
    ProductList,
    ProductView,
    WishView,
    view_of,
)
from lpad.api.request.api_call import json_response, submission_response
from lpad.api.request.pagination import page
from lpad.api.request.request_bodies import GuardRequest, ProvisionRequest
from lpad.api.request.roles import ROLE_FOR
from lpad.base.deadline import Deadline
from lpad.base.errors import InvalidValue, NotFound
from lpad.engine.change.change import Kind
from lpad.engine.change.params import GuardParams, ProvisionParams
from lpad.engine.switch.guarded_switch import check_guard
from lpad.provisioning.platform_interface import LineAction

if TYPE_CHECKING:
    from starlette.responses import Response

    from lpad.api.request.api_call import Call
    from lpad.engine.change.steady_clock import Moment
    from lpad.engine.engine import Engine
    from lpad.engine.provisioning.wish_record import WishRecord

LISTING = 60.0
"""The time limit in seconds for a platform to list its products."""


async def provision(call: Call) -> Response:
    """Get a profile from a platform; if the card already has a wish, the request resumes the wish."""
    body = call.body_of(ProvisionRequest)
    call.check(ROLE_FOR[Kind.ENABLE] if body.enable else ROLE_FOR[Kind.PROVISION])
    names = call.engine.platforms.names
    platform = body.platform if body.platform is not None else names[0] if len(names) == 1 else None
    if platform is None:
        raise InvalidValue(
            f"'platform' must be one of those in the settings: {', '.join(names) or 'there are none'}"
        )
    if platform not in names:
        raise NotFound(f"the settings name no platform '{platform}'; they name {', '.join(names) or 'none'}")
    guard = None
    if isinstance(body.guard, GuardRequest):
        if not body.enable:
            raise InvalidValue("a 'guard' needs a switch to the profile; add 'enable': true, or omit 'guard'")
        until = check_guard(body.guard.until, body.guard.within)
        guard = GuardParams(until=until, within=body.guard.within)
    asked = ProvisionParams(
        platform=platform,
        product=body.product,
        options=dict(body.options),
        enable=body.enable,
        confirm=body.confirm,
        guard=guard,
        unguarded=body.enable and body.guard is None,
    )
    _ = call.wait  # an invalid `wait` is refused before a change is created
    name = call.path["name"]
    key = call.key(name, Kind.PROVISION, asked, None)
    submission = await asyncio.to_thread(call.engine.submit, name, asked, key=key, asked_by=call.peer.uid)
    return await submission_response(call, submission)


async def close_wish(call: Call) -> Response:
    """Close a card's wish, even if its order has already been paid; return the wish as it was."""
    record = await asyncio.to_thread(call.engine.close_wish, call.path["name"])
    return json_response(wish_view(record, call.engine.now()))


async def list_platforms(call: Call) -> Response:
    """List the platforms that the settings name."""
    names, following = page(call, call.engine.platforms.names)
    platforms = [call.engine.platforms.get(name) for name in names]
    return json_response(
        PlatformList(
            platforms=[
                view_of(
                    PlatformView,
                    each.can,
                    name=each.name,
                    activates=each.can.activates.value,
                    lines=tuple(action for action in LineAction if action in each.can.lines),
                )
                for each in platforms
                if each is not None
            ],
            next=following,
        )
    )


async def list_products(call: Call) -> Response:
    """List a platform's products, as the platform reports them now."""
    name = call.path["name"]
    platform = call.engine.platforms.get(name)
    if platform is None:
        raise NotFound(f"the settings name no platform '{name}'")

    def ask() -> list[ProductView]:
        with platform.opened() as opened:
            found = opened.products(deadline=Deadline.after(LISTING))
        return [view_of(ProductView, each) for each in found]

    found, following = page(call, await asyncio.to_thread(ask))
    return json_response(ProductList(platform=name, products=found, next=following))


def line_view(iccid: str | None, engine: Engine) -> LineView | None:
    """Return the public view of a profile's line; None: lpad knows no platform with that line."""
    record = engine.line(iccid) if iccid is not None else None
    if iccid is None or record is None or not record.platform:
        return None
    return LineView(
        platform=record.platform,
        line=record.line,
        word=record.word,
        imei=record.imei,
        seen_at=engine.now().date_of(record.seen_at) if record.seen_at else None,
        cause=engine.line_cause(iccid) or None,
    )


def wish_view(record: WishRecord | None, present: Moment) -> WishView | None:
    """Return the public view of a wish; None: there is no wish."""
    if record is None:
        return None
    return view_of(
        WishView,
        record,
        **{each: getattr(record.reservation, each, None) for each in ("profile", "line", "iccid", "why")},
        orders=len(record.ordered_at),
        spent=record.spent or None,
        next_look_at=None if record.next_look_at is None else present.date_of(record.next_look_at),
    )
