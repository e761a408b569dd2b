"""The order of a wish at its platform: the recorded one, one that the platform lists, or a new one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.base.errors import Conflict, PlatformRefused
from lpad.engine.fulfilment.platform_pause import DAY, asked
from lpad.engine.fulfilment.user_question import ask_second_order, ask_to_adopt
from lpad.engine.provisioning.wish_record import KeptReservation
from lpad.engine.running.run import Postponed
from lpad.provisioning.platform_interface import Finds, Stage

if TYPE_CHECKING:
    from lpad.engine.fulfilment.wish_progress import OpenWish
    from lpad.engine.provisioning.platforms import OpenPlatform
    from lpad.provisioning.platform_interface import Reservation

_OPEN = (Stage.PENDING, Stage.AVAILABLE, Stage.UNKNOWN)
"""Stages from which a profile may still be downloaded."""
_LOST = Stage.DOWNLOADED
"""The stage of a profile whose package the server has sent.

If the profile is not on the card, the package was lost, and the server sends it to the same card again.
"""


def reserved(wish: OpenWish, platform: OpenPlatform) -> Reservation:
    """Return the wish's reservation; lpad orders a profile only if there is no reservation yet.

    Raises:
        Postponed: the platform cannot answer now.
        Conflict: the settings allow no more orders today.
        Declined, Cancelled: as `ask_second_order`.
        PlatformRefused: the platform refused.
    """
    if wish.record.spent:
        ask_second_order(wish, wish.record.spent)
    if wish.record.reservation is not None and not wish.record.reservation.draft:
        return wish.reservation
    doubtful = wish.record.unfinished_step in ("order", "confirm")
    found = _found(wish, platform)
    draft = next((each for each in found if each.draft), None)
    if found and draft is None:
        adopted = _chosen(wish, found)
        wish.keep(reservation=KeptReservation.of(adopted), unfinished_step="", looks=0, since=wish.steady())
        wish.tell("found", reservation=adopted)
        return adopted
    if doubtful and draft is None and not _may_repeat(platform):
        ask_second_order(
            wish,
            "lpad does not know whether the platform accepted the order, and the platform offers no way to"
            " find out",
        )
    return _ordered(wish, platform, draft)


def _found(wish: OpenWish, platform: OpenPlatform) -> list[Reservation]:
    if platform.can.finds is Finds.NOTHING:
        return []
    wish.run.step("find-order")
    found = asked(wish, lambda: platform.find(wish.request(), deadline=wish.deadline()))
    return [each for each in found if each.profile in _OPEN] or [
        each for each in found if each.profile is _LOST and not _is_on_card(wish, each)
    ]


def _is_on_card(wish: OpenWish, reservation: Reservation) -> bool:
    return (
        reservation.iccid is not None and wish.context.snapshot().listed.named(reservation.iccid) is not None
    )


def _chosen(wish: OpenWish, found: list[Reservation]) -> Reservation:
    """Return the oldest available reservation, or else the oldest; ask a user if several are available."""
    available = [each for each in found if each.profile is Stage.AVAILABLE]
    if len(available) > 1 and wish.notes.adopt is not True:
        wish.tell("several", number=len(available))
        ask_to_adopt(wish, len(available))
    return (available or found)[0]


def _may_repeat(platform: OpenPlatform) -> bool:
    return platform.can.repeats or platform.can.finds is not Finds.NOTHING


def _ordered(wish: OpenWish, platform: OpenPlatform, draft: Reservation | None) -> Reservation:
    before = wish.record
    moments = before.ordered_at
    if draft is not None:
        wish.keep(unfinished_step="confirm", reservation=KeptReservation.of(draft))
    else:
        # A draft that the platform no longer lists has expired without confirmation, so another request is
        # not a second order.
        if before.unfinished_step not in ("order", "confirm"):
            _check_most_orders(wish)
            moments = (*moments, wish.steady())
        wish.keep(unfinished_step="order", ordered_at=moments)
    wish.run.step("order-profile")
    try:
        made = asked(
            wish, lambda: platform.order(wish.request(), draft=draft, deadline=wish.deadline()), doubt=True
        )
    except (PlatformRefused, Postponed) as error:
        if isinstance(error, Postponed) and wish.record.unfinished_step:
            raise  # it is unknown whether the platform accepted the order
        # The platform has done nothing, so this turn's order does not count.
        wish.keep(
            unfinished_step="", ordered_at=before.ordered_at if before.unfinished_step != "order" else moments
        )
        raise
    wish.keep(
        reservation=KeptReservation.of(made), unfinished_step="", looks=0, since=wish.steady(), stalled=False
    )
    wish.tell("ordered", reservation=made)
    return made


def _check_most_orders(wish: OpenWish) -> None:
    most = wish.context.card.port.provisioning.most_orders
    recent = [each for each in wish.record.ordered_at if wish.steady() - each < DAY]
    if len(recent) >= most:
        raise Conflict(
            f"the settings allow {most} orders a day for a card ('provisioning.most_orders'), and lpad"
            f" has placed {len(recent)}; ask again tomorrow, or raise the limit",
            limit=most,
        )
