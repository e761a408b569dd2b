"""An operator's platform that reports each message, and the daemon's settings for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lpad.simulator.platform.request_and_answer import Answer
from lpad.simulator.platform.reservations import Placed, Profile
from lpad.simulator.platform.server import SimulatedPlatform
from lpad.simulator.smdp.functions.faults import TlsIdentity
from lpad.simulator.smdp.store.order import OrderState

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from faults.device.step_counter import Peer, StepCounter
    from lpad.simulator.pki.pki import Pki
    from lpad.simulator.platform.platform_base import Faulty
    from lpad.simulator.platform.request_and_answer import Request
    from lpad.simulator.smdp.functions.function_table import HttpAnswer
    from lpad.simulator.smdp.store.order import Order
    from lpad.simulator.smdp.store.orders import Orders

PLATFORM = "operator"
_STAGES = {OrderState.DOWNLOADED: Profile.DOWNLOADED, OrderState.INSTALLED: Profile.INSTALLED}


class Shelf:
    """The device's SM-DP+, which has one profile."""

    def __init__(
        self, orders: Orders, *, address: Callable[[], str], order: Callable[[str | None], Order]
    ) -> None:
        """Create the shelf, which orders nothing yet.

        Args:
            orders: the server's orders.
            address: returns the server's address.
            order: adds an order for the profile; its parameter is the EID of the card, or None for any card.
        """
        self._orders = orders
        self._address = address
        self._order = order

    def place(self, *, eid: str | None) -> Placed:
        """Add an order, and return its identification."""
        order = self._order(eid)
        return Placed(order.id, order.metadata.iccid, self._address(), order.matching_id)

    def progress(self, order: str) -> Profile:
        """Return the state of an order."""
        return _STAGES.get(self._orders.get(order).state, Profile.AVAILABLE)

    def withdraw(self, order: str) -> None:
        """Cancel an order."""
        self._orders.cancel(order)


class WatchedPlatform(SimulatedPlatform):
    """A platform that reports each message to the step counter, as the SM-DP+ does."""

    step_counter: StepCounter
    peer: Peer[tuple[Answer, Faulty]]

    def carry_out(self, request: Request) -> tuple[Answer, Faulty]:
        """Carry out a request, unless the step counter makes a cut, and return the answer."""
        carry_out = super().carry_out
        return self.step_counter.message(lambda: carry_out(request), peer=self.peer)

    @staticmethod
    def as_answer(answer: HttpAnswer) -> tuple[Answer, Faulty]:
        """Return an SM-DP+'s faulty answer in the form of a platform's answer."""
        return Answer(answer.status, answer.body or None), {}

    def shows(self, pki: Pki) -> Callable[[TlsIdentity], None]:
        """Return a function that makes the platform present a certificate."""
        return lambda identity: self.show(
            pki.strangers_tls(*self.vendor.hosts)
            if identity is TlsIdentity.UNKNOWN_CA
            else pki.dp_tls(*self.vendor.hosts)
        )

    def settings(self, folder: Path) -> dict[str, Any]:
        """Write the platform's credentials into files; return the daemon's settings for it, without hosts."""
        credentials = {}
        for name, value in self.credentials.items():
            path = folder / f"credential-{name}"
            path.write_text(value, encoding="utf-8")
            path.chmod(0o600)
            credentials[name] = str(path)
        section: dict[str, Any] = {
            "like": self.like,
            "credentials": credentials,
            "options": self.options,
            "ca_files": sorted(map(str, (folder / "pki" / "ci").glob("*.der"))),
        }
        if self.product is not None:
            section["product"] = self.product
        return {"platforms": {PLATFORM: section}}
