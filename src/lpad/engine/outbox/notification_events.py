"""Reports about notifications, in the log and as events."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from lpad.base.server_address import LONGEST
from lpad.engine.events.event_data import NotificationData
from lpad.engine.events.event_types import NOTIFICATION_SET_ASIDE
from lpad.engine.events.happening import Happening

if TYPE_CHECKING:
    from lpad.base.errors import LpadError
    from lpad.engine.change.event_subscriptions import Hub
    from lpad.engine.journal import StoredNotification
    from lpad.engine.outbox.uncopied_notifications import UncopiedNotification

log = logging.getLogger(__name__)

_LEVELS = {"failed": logging.WARNING, "removed": logging.DEBUG}


def tell(hub: Hub, what: str, stored: StoredNotification, **more: str | int) -> None:
    """Report the result for a notification, such as `delivered` or `failed`."""
    _tell(hub, what, stored.eid, stored, more)


def tell_dropped(hub: Hub, eid: str, uncopied: UncopiedNotification) -> None:
    """Report that a notification without a copy was dropped."""
    _tell(hub, "dropped", eid, uncopied, {})


def set_aside(stored: StoredNotification, error: LpadError) -> Happening:
    """Return the event for a notification that lpad no longer tries to deliver."""
    return Happening(
        type=NOTIFICATION_SET_ASIDE,
        data=NotificationData(
            eid=stored.eid, seq=stored.seq, event=stored.event, iccid=stored.iccid, cause=error.kind
        ),
    )


def _tell(
    hub: Hub,
    what: str,
    eid: str,
    about: StoredNotification | UncopiedNotification,
    more: dict[str, str | int],
) -> None:
    details = "".join(f" {name}={value}" for name, value in more.items())
    level = _LEVELS.get(what, logging.INFO)
    # A card may return any text as an address.
    address = about.address if len(about.address) <= LONGEST else f"{about.address[:LONGEST]}…"
    log.log(level, "notification %d (%s) for %s: %s%s", about.seq, about.event, address, what, details)
    hub.publish(
        "notification",
        {
            "eid": eid,
            "seq": about.seq,
            "event": about.event,
            "address": about.address,
            "iccid": about.iccid,
            "what": what,
            **more,
        },
    )
