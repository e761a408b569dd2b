"""The events of a wish: one for each stage of the order, the profile and the line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.engine.events.event_data import ProvisioningData
from lpad.engine.events.event_types import PROVISIONING_CHANGED
from lpad.engine.events.happening import Happening

if TYPE_CHECKING:
    from lpad.engine.provisioning.wish_record import KeptReservation, WishRecord


def happenings(eid: str, before: WishRecord | None, after: WishRecord | None) -> list[Happening]:
    """Return the event, if any, for the step between two records of a wish; a record of None: no wish."""
    record = after or before
    stage = None if record is None else _stage(before, after)
    if stage is None or record is None:
        return []
    reservation = record.reservation
    data = ProvisioningData(
        eid=eid,
        platform=record.platform,
        stage=stage,
        change=record.change or None,
        iccid=reservation.iccid if reservation is not None else None,
        profile=reservation.profile if reservation is not None else None,
        line=reservation.line if reservation is not None else None,
    )
    return [Happening(type=PROVISIONING_CHANGED, data=data)]


def _stage(before: WishRecord | None, after: WishRecord | None) -> str | None:
    if after is None or before is None:
        return "closed" if before is not None else "opened"
    if after.spent and not before.spent:
        return "spent"
    if len(after.ordered_at) > len(before.ordered_at):
        return "ordered"
    return _stage_of_reservation(before.reservation, after.reservation)


def _stage_of_reservation(before: KeptReservation | None, after: KeptReservation | None) -> str | None:
    if after is None:
        return None
    if before is None or before.id != after.id:
        return "reserved"
    seen = (after.profile, after.line, after.iccid) != (before.profile, before.line, before.iccid)
    return "changed" if seen else None
