"""The activation of a profile's line: before the download, or once the profile is installed."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from lpad.base.errors import LpadError
from lpad.engine.fulfilment.platform_pause import asked
from lpad.engine.provisioning.wish_record import KeptReservation
from lpad.provisioning.platform_interface import Activates, Line

if TYPE_CHECKING:
    from lpad.engine.fulfilment.wish_progress import OpenWish
    from lpad.engine.provisioning.platforms import NamedPlatform, OpenPlatform
    from lpad.provisioning.platform_interface import Reservation

log = logging.getLogger(__name__)

_SERVED = (Line.LIVE, Line.CHANGING)


def activate(wish: OpenWish, platform: OpenPlatform, reservation: Reservation) -> None:
    """Begin to activate the line before the download; the guard of the switch checks whether the line works.

    Raises:
        Postponed: the platform cannot answer now.
        PlatformRefused: the platform refused.
    """
    if reservation.line in _SERVED:
        if wish.record.unfinished_step == "activate":
            # the answer to the activation was lost; the line's state shows the outcome
            wish.keep(unfinished_step="")
        return
    wish.keep(unfinished_step="activate")
    wish.run.step("activate-line")
    active = asked(
        wish, lambda: platform.activate(reservation, wish.request(), deadline=wish.deadline()), doubt=True
    )
    wish.keep(reservation=KeptReservation.of(active), unfinished_step="")
    wish.tell("activated", reservation=active)


def activate_installed(wish: OpenWish, iccid: str) -> None:
    """Activate the line of the just installed profile, unless a platform that takes orders did so before."""
    platform = wish.platform
    if platform is None or (platform.can.orders and platform.can.activates is not Activates.AFTER):
        return
    if platform.can.activates is Activates.NEVER:
        return
    wish.run.follow("activate-line")
    _try_to_activate(wish, platform, iccid)


def activate_again(wish: OpenWish) -> None:
    """Activate the line of a profile that an earlier change installed, if the line is idle again."""
    reservation, platform = wish.record.reservation, wish.platform
    if platform is None or reservation is None or platform.can.activates is not Activates.BEFORE:
        return
    wish.run.step("activate-line")
    _try_to_activate(wish, platform, reservation.iccid or "")


def _try_to_activate(wish: OpenWish, platform: NamedPlatform, iccid: str) -> None:
    try:
        with platform.opened() as open_platform:
            _activate_idle(wish, open_platform, iccid)
    except LpadError as error:
        # The profile is installed; the guard checks whether the line works.
        log.warning("change %d: cannot activate the line: %s", wish.run.change.id, error)
        wish.tell("line-not-activated", sentence=error.sentence)


def _activate_idle(wish: OpenWish, platform: OpenPlatform, iccid: str) -> None:
    if wish.record.reservation is not None:
        line = platform.look(wish.reservation, deadline=wish.deadline())
    else:
        known = platform.line_of(iccid, deadline=wish.deadline())
        if known is None:
            return
        line = known
    if line.line in _SERVED:
        return
    platform.activate(line, wish.request(), deadline=wish.deadline())
    wish.tell("activated", reservation=line)
