"""A card in a modem, an SM-DP+, a root and an alternative SM-DS, and an engine between them."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from engine.lab import FIRST, Lab
from lpad.base.server_address import ServerAddress
from lpad.engine.change.change import Kind
from lpad.engine.policy.discovery import DiscoveryPolicy
from lpad.simulator.smds.server import events_of, make_smds

if TYPE_CHECKING:
    from pathlib import Path

    from lpad.engine.change.change import Change
    from lpad.engine.running.card.card_with_open_link import CardPort
    from lpad.simulator.pki.pki import Pki
    from lpad.simulator.smdp.store.order import Order


class DiscoveryLab(Lab):
    """A lab with a root and an alternative SM-DS."""

    def __init__(self, folder: Path, pki: Pki, **details: Any) -> None:
        super().__init__(folder, pki, **details)
        self._running = ExitStack()
        self.root = self._running.enter_context(make_smds(folder / "root", pki=pki))
        self.alternative = self._running.enter_context(
            make_smds(folder / "alternative", pki=pki, alternative=True)
        )

    def __exit__(self, *details: object) -> None:
        super().__exit__(*details)
        self._running.close()

    def announce(self, order: Order, *, cascade: bool = False) -> None:
        """Register an order's event at the root SM-DS; with `cascade`, at the alternative SM-DS as well."""
        eid, files = self.card.eid.digits, []
        near = self.alternative if cascade else self.root
        forwarded = f"ROOT-{order.matching_id}" if cascade else None
        files.append(
            events_of(near.folder).register(
                eid=eid, address=self.server.address, event_id=order.matching_id, forwarded_as=forwarded
            )
        )
        if cascade:
            files.append(
                events_of(self.root.folder).register(eid=eid, address=near.address, event_id=forwarded)
            )
        self.server.orders.change(order.id, events=tuple(files))

    def event(self, iccid: str = FIRST, event_id: str = "EVENT-1", **details: Any) -> Order:
        cascade = details.pop("cascade", False)
        order = self.order(iccid=iccid, matching_id=event_id, eid=self.card.eid, **details)
        self.announce(order, cascade=cascade)
        return order

    def policy(self, **policy: Any) -> CardPort:
        """Return the card's port with a policy for discovery, which by default names the root SM-DS."""
        policy.setdefault("servers", (ServerAddress.parse(self.root.address),))
        return replace(self.port, discovery=DiscoveryPolicy(**policy))

    def discover(self, **params: Any) -> Change:
        return self.carry_out(Kind.DISCOVER, **params)

    def downloads(self, number: int = 1) -> list[Change]:
        """Return the downloads of discoveries, oldest first, once the given number of them has ended."""

        def look() -> list[Change]:
            return [each for each in reversed(self.engine.changes()) if each.kind is Kind.DOWNLOAD]

        return self.until(look, lambda seen: sum(each.state.ended for each in seen) >= number)

    def enabled(self) -> list[str]:
        return [str(each.iccid) for each in self.card.profiles if each.enabled]

    def installed(self) -> list[str]:
        return [str(each.iccid) for each in self.card.profiles]
