"""The API's handlers for the daemon's version and health, and for the device's ports and readers."""

from __future__ import annotations

import asyncio
import os
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import lpad
from lpad.api.request.answer_views import Health, JournalView, PortsView, SettingsView, SystemView
from lpad.api.request.api_call import json_response
from lpad.engine.change.change import Failure
from lpad.engine.snapshot.snapshot import CardState

if TYPE_CHECKING:
    from starlette.responses import Response

    from lpad.api.request.api_call import Call
    from lpad.card.available_ports import Ports
    from lpad.engine.engine import Engine

_STARTED = time.monotonic()
_STARTED_AT = datetime.now(UTC)
_listings: WeakKeyDictionary[Engine, asyncio.Task[Ports]] = WeakKeyDictionary()
"""For each engine, the task that is listing the ports, or that listed them last."""


async def get_system(call: Call) -> Response:
    """Show the daemon's version, uptime and health, and the state of its settings."""
    snapshots = call.engine.snapshots()
    journal = call.engine.journal
    health = Health(
        ok=call.engine.healthy and journal.ok,
        cards=len(snapshots),
        cards_ready=sum(snapshot.state is CardState.READY for snapshot in snapshots),
        journal=JournalView(
            state=journal.state,
            error=Failure.of(journal.error) if journal.error is not None else None,
            set_aside=list(journal.set_aside),
            repairs=list(journal.repairs),
        ),
        clock_set=call.engine.clock_set,
    )
    view = SystemView(
        version=lpad.__version__,
        pid=os.getpid(),
        started_at=_STARTED_AT,
        uptime_seconds=round(time.monotonic() - _STARTED, 3),
        health=health,
        settings=SettingsView(
            read_at=call.configuration.read_at,
            restart_needed=call.configuration.restart_needed,
            error=call.configuration.error,
        ),
    )
    return json_response(view)


async def list_ports(call: Call) -> Response:
    """List the existing serial ports and PC/SC readers, even those that are not in the settings."""
    # pcscd may be slow, and there are few threads, so concurrent callers wait for the same answer.
    listing = _listings.get(call.engine)
    if listing is None or listing.done():
        listing = _listings[call.engine] = asyncio.create_task(asyncio.to_thread(call.engine.ports))
    found = await asyncio.shield(listing)
    return json_response(PortsView(serial=found.serial, readers=found.readers, no_readers=found.no_readers))
