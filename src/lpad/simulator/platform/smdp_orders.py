"""The simulated SM-DP+ behind a platform: its folder of orders."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from lpad.base.identifiers import Eid, Iccid
from lpad.simulator.platform.reservations import Placed, Profile
from lpad.simulator.profile_package.made_up_profile import made_up_profile
from lpad.simulator.smdp.store.order import OrderState
from lpad.simulator.smdp.store.profile_metadata import ProfileMetadata
from lpad.simulator.smdp.store.smds_events import new_event_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.simulator.smdp.store.order import Order
    from lpad.simulator.smdp.store.orders import Orders

_PROGRESS = {
    OrderState.CONFIRMED: Profile.RESERVING,
    OrderState.RELEASED: Profile.AVAILABLE,
    OrderState.DOWNLOADED: Profile.DOWNLOADED,
    OrderState.INSTALLED: Profile.INSTALLED,
    OrderState.CANCELLED: Profile.FAILED,
    OrderState.ERROR: Profile.FAILED,
}


class SmdpShelf:
    """Adds made-up profiles to a server's orders."""

    def __init__(
        self,
        orders: Orders,
        *,
        address: Callable[[], str],
        size: int = 1500,
        announce: Callable[[Order], None] | None = None,
    ) -> None:
        """Create the shelf.

        Args:
            orders: the server's orders.
            address: a function that returns the server's address, with its port unless that is 443.
            size: the size of a profile, in bytes.
            announce: a function that registers an order at an SM-DS; None: the platform gives codes instead.
        """
        self._announce = announce
        self._orders = orders
        self._address = address
        self._size = size

    def place(self, *, eid: str | None) -> Placed:
        """Add an order for a card, or for any card with the matching ID."""
        iccid = _random_iccid()
        order = self._orders.add_order(
            made_up_profile(iccid, name="Platform profile", size=self._size),
            metadata=ProfileMetadata(
                iccid=str(iccid), name="Platform profile", service_provider="Platform operator"
            ),
            eid=None if eid is None else Eid.parse(eid),
            matching_id=None if self._announce is None else new_event_id(),
        )
        if self._announce is not None:
            self._announce(order)
        return Placed(
            order.id, str(iccid), self._address(), order.matching_id, announced=self._announce is not None
        )

    def progress(self, order: str) -> Profile:
        """Return the state of an order."""
        return _PROGRESS[self._orders.get(order).state]

    def withdraw(self, order: str) -> None:
        """Cancel an order."""
        self._orders.cancel(order)


def _random_iccid() -> Iccid:
    body = "8900101" + "".join(secrets.choice("0123456789") for _ in range(11))
    digits = [int(digit) for digit in reversed(body)]
    doubled = [digit * 2 - 9 * (digit > 4) if place % 2 == 0 else digit for place, digit in enumerate(digits)]
    return Iccid(f"{body}{-sum(doubled) % 10}")
