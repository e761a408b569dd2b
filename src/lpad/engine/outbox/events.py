"""What is told of a notification: to the log, and to whoever listens to events."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lpad.engine.change.event_hub import Hub
    from lpad.engine.journal import StoredNotification

log = logging.getLogger(__name__)

_LEVELS = {"failed": logging.WARNING, "removed": logging.DEBUG}


def tell(hub: Hub, what: str, stored: StoredNotification, **more: str | int) -> None:
    """Tell what became of a notification, such as `delivered` or `failed`."""
    details = "".join(f" {name}={value}" for name, value in more.items())
    level = _LEVELS.get(what, logging.INFO)
    log.log(
        level, "notification %d (%s) for %s: %s%s", stored.seq, stored.event, stored.address, what, details
    )
    hub.publish(
        "notification",
        {
            "eid": stored.eid,
            "seq": stored.seq,
            "event": stored.event,
            "address": stored.address,
            "iccid": stored.iccid,
            "what": what,
            **more,
        },
    )
