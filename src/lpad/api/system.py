"""The daemon itself: its version, its health, its description."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import lpad
from lpad.api.bodies import Health, SystemView
from lpad.api.call import json_response
from lpad.engine.snapshot import CardState

if TYPE_CHECKING:
    from starlette.responses import Response

    from lpad.api.call import Call

_STARTED = time.monotonic()
_STARTED_AT = datetime.now(UTC)


async def get_system(call: Call) -> Response:
    """Tell version, uptime and health."""
    snapshots = call.engine.snapshots()
    health = Health(
        ok=call.engine.healthy,
        cards=len(snapshots),
        cards_ready=sum(snapshot.state is CardState.READY for snapshot in snapshots),
    )
    view = SystemView(
        version=lpad.__version__,
        pid=os.getpid(),
        started_at=_STARTED_AT,
        uptime_seconds=round(time.monotonic() - _STARTED, 3),
        health=health,
    )
    return json_response(view)
