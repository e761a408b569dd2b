"""The API's handlers for a profile's network settings, which are read, set and cleared without the card."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from lpad.api.request.answer_views import NetworkView
from lpad.api.request.api_call import json_response
from lpad.api.request.request_bodies import NetworkRequest
from lpad.base.errors import Conflict
from lpad.base.identifiers import Iccid, profile_target
from lpad.network.network_settings import GivenBy

if TYPE_CHECKING:
    from starlette.responses import Response

    from lpad.api.request.api_call import Call


async def get_network(call: Call) -> Response:
    """Show the network settings that apply to a profile, and their source."""
    return await _shown(call, _iccid(call))


async def put_network(call: Call) -> Response:
    """Set a profile's network settings.

    The settings apply from the profile's next enable on, even if the profile is not on the card yet.
    """
    iccid = _iccid(call)
    name = call.path["name"]
    before = await asyncio.to_thread(call.engine.card(name).network, iccid)
    stored = before.settings if before.given_by is not GivenBy.PATTERN else None
    settings = call.body_of(NetworkRequest).settings(stored=stored)
    await asyncio.to_thread(call.engine.set_network, name, iccid, settings)
    return await _shown(call, iccid)


async def delete_network(call: Call) -> Response:
    """Clear a profile's own settings; show the settings that apply to the profile afterwards."""
    iccid = _iccid(call)
    await asyncio.to_thread(call.engine.clear_network, call.path["name"], iccid)
    return await _shown(call, iccid)


async def _shown(call: Call, iccid: str) -> Response:
    chosen = await asyncio.to_thread(call.engine.card(call.path["name"]).network, iccid)
    return json_response(NetworkView.of(iccid, chosen))


def _iccid(call: Call) -> str:
    """Return the ICCID of the profile in the path; a profile named by ICCID need not be on the card yet.

    Raises:
        InvalidValue: the name is neither ICCID nor AID.
        Conflict: the name is an AID for which the card reports no ICCID.
    """
    name = profile_target(call.path["iccid"])
    if isinstance(name, Iccid):
        call.engine.snapshot(call.path["name"])
        return str(name)
    profile = call.engine.snapshot(call.path["name"]).listed.find(str(name))
    if profile is None or profile.iccid is None:
        raise Conflict(
            f"network settings are stored by ICCID, but the card reports none for the profile {name}; name"
            " the profile by its ICCID"
        )
    return profile.iccid
