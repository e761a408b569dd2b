"""The release of a reservation, if the platform accepts it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from lpad.base.deadline import Deadline
from lpad.base.errors import LpadError
from lpad.engine.fulfilment.wish_progress import CONVERSATION
from lpad.engine.provisioning.wish_record import KeptReservation
from lpad.provisioning.platform_interface import Stage

if TYPE_CHECKING:
    from lpad.engine.fulfilment.wish_progress import OpenWish
    from lpad.engine.provisioning.platforms import OpenPlatform

log = logging.getLogger(__name__)


def release(wish: OpenWish) -> str | None:
    """Release the reservation if the platform accepts this, and close the wish.

    If lpad itself has ended the change, a paid order and its wish stay, because only a user may abandon them.

    Returns:
        A sentence about the remaining reservation; None if nothing remains.
    """
    record = wish.context.wishes.get(wish.eid)
    if record is None:
        return None
    if not record.paid and not record.unfinished_step:
        wish.close()
        return None
    left = f"the order at the platform '{record.platform}' stays, and the next request continues with it"
    if not wish.run.undoes:
        return left
    platform = wish.context.platforms.get(record.platform)
    if platform is None or not platform.can.releases:
        return f"{left}: the platform does not take orders back"
    try:
        with platform.opened() as open_platform:
            return _released(wish, open_platform, left)
    except LpadError as error:
        log.warning("change %d: cannot release its order: %s", wish.run.change.id, error)
        return f"{left}: {error.sentence}"


def _released(wish: OpenWish, platform: OpenPlatform, left: str) -> str | None:
    if wish.record.reservation is None:
        found = platform.find(wish.request(), deadline=_deadline())
        if not found:
            wish.close()
            return None
        wish.keep(reservation=KeptReservation.of(found[0]))
    reservation = platform.look(wish.reservation, deadline=_deadline())
    if reservation.profile in (Stage.DOWNLOADED, Stage.INSTALLED):
        return f"{left}: its profile was downloaded"
    if reservation.profile is not Stage.GONE:
        wish.keep(unfinished_step="release")
        platform.release(reservation, deadline=_deadline())
    wish.close("released")
    return None


def _deadline() -> Deadline:
    """Return the time limit of one call; the cancellation that is being carried out does not end the call."""
    return Deadline.after(CONVERSATION)
