"""The events that leave the device when the state of an SM-DS's event has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.engine.events.event_data import DiscoveryData
from lpad.engine.events.event_types import DISCOVERY_CHANGED
from lpad.engine.events.happening import Happening

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lpad.engine.discovery.smds_event_states import KnownEvent


def happenings(eid: str, before: Iterable[KnownEvent], after: Iterable[KnownEvent]) -> list[Happening]:
    """Return a happening for each known event that is new, or whose state has changed.

    The ID of the SM-DS's event is omitted, because it is the matching ID at the SM-DP+, and so a secret.
    """
    states = {each.key: each.state for each in before}
    return [
        Happening(
            type=DISCOVERY_CHANGED,
            data=DiscoveryData(
                eid=eid,
                server=each.server,
                listed_by=each.listed_by,
                stage=each.state,
                change=each.change,
                iccid=each.iccid,
            ),
        )
        for each in after
        if states.get(each.key) != each.state
    ]
