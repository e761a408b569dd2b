"""The availability of a reserved profile, which lpad repeatedly queries at the platform."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from lpad.engine.fulfilment.platform_pause import asked, later
from lpad.engine.fulfilment.user_question import ask_second_order
from lpad.engine.provisioning.wish_record import KeptReservation
from lpad.provisioning.platform_interface import Stage

if TYPE_CHECKING:
    from lpad.engine.fulfilment.wish_progress import OpenWish
    from lpad.engine.provisioning.platforms import OpenPlatform
    from lpad.provisioning.platform_interface import Reservation

log = logging.getLogger(__name__)

_GIVEN = (Stage.DOWNLOADED, Stage.INSTALLED)
_TRIED = (Stage.AVAILABLE, *_GIVEN)
"""Stages at which the download is tried. A package that was lost on its way counts as downloaded, or even as
installed, and a server gives it to the same card again."""


def available(wish: OpenWish, platform: OpenPlatform, reservation: Reservation) -> Reservation:
    """Return the reservation once its profile can be downloaded.

    lpad also tries a profile that counts as downloaded or installed but is not on the card: only its server
    knows whether the code is used up. If the platform announces profiles at an SM-DS, an available
    profile needs no code.

    Raises:
        Postponed: the platform is not ready yet.
        Declined, Cancelled: as `ask_second_order`, because the profile can no longer be downloaded.
    """
    if reservation.ticket is None or reservation.profile is not Stage.AVAILABLE:
        wish.run.step("look-at-order")
        reservation = asked(wish, lambda: platform.look(reservation, deadline=wish.deadline()))
        wish.keep(reservation=KeptReservation.of(reservation))
    _tell_unknown(wish, reservation)
    if _can_be_tried(wish, platform, reservation):
        wish.keep(looks=0, next_look_at=None)
        return reservation
    if reservation.profile in (Stage.FAILED, Stage.GONE, *_GIVEN):
        words = f", in its words: {reservation.why}" if reservation.why else ""
        spent = f"the platform '{wish.record.platform}' reports the profile as {reservation.profile}{words}"
        wish.keep(spent=spent)
        wish.tell("spent", reservation=reservation)
        ask_second_order(wish, spent)
    _tell_stalled(wish, platform, reservation)
    raise later(
        wish,
        f"the profile is {reservation.profile} at the platform '{wish.record.platform}'; lpad asks again",
        least=platform.can.look_every,
    )


def _can_be_tried(wish: OpenWish, platform: OpenPlatform, reservation: Reservation) -> bool:
    if reservation.ticket is not None:
        return reservation.profile in _TRIED
    if not platform.can.events:
        return False
    # An event whose download has begun is tried again, like a code; otherwise, only an available profile has
    # an event.
    return reservation.profile is Stage.AVAILABLE or (
        reservation.profile in _GIVEN and wish.record.event is not None
    )


def _tell_unknown(wish: OpenWish, reservation: Reservation) -> None:
    for word in reservation.unknown:
        if word not in wish.record.told:
            wish.keep(told=(*wish.record.told, word))
            log.warning(
                "the platform '%s' reports the state '%s', which its file does not list; lpad keeps checking",
                wish.record.platform,
                word,
            )
            wish.tell("unknown-state", reservation=reservation, word=word)


def _tell_stalled(wish: OpenWish, platform: OpenPlatform, reservation: Reservation) -> None:
    waited = wish.steady() - wish.record.since
    if not wish.record.stalled and waited > platform.can.look_for:
        wish.keep(stalled=True)
        log.warning(
            "the platform '%s' has kept a profile pending for %.0f seconds; lpad keeps checking",
            wish.record.platform,
            waited,
        )
        wish.tell("stalled", reservation=reservation)
