"""A lab with an operator's platform in front of its SM-DP+, and an engine that knows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from engine.lab import CARD, Lab
from lpad.base.backoff import Backoff
from lpad.engine.change.change import Kind
from lpad.engine.policy.provisioning import ProvisioningPolicy
from lpad.engine.provisioning import platform_query_limit, query_times
from lpad.engine.provisioning.platforms import Platforms
from lpad.provisioning.declared.platform_opening import OpenablePlatform, PlatformSettings
from lpad.remote.https.host_overrides import HostOverrides
from lpad.remote.https.proxy_and_interface import Route
from lpad.simulator.platform.server import SimulatedPlatform
from lpad.simulator.platform.smdp_orders import SmdpShelf

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from lpad.engine.change.change import Change
    from lpad.engine.running.card.card_with_open_link import CardPort
    from lpad.simulator.euicc.chip.behaviour import CardBehaviour
    from lpad.simulator.modem.personality import ModemPersonality
    from lpad.simulator.pki.pki import Pki

PLATFORM = "mine"


class PlatformLab(Lab):
    """An empty card, an engine, a platform and its SM-DP+."""

    def __init__(
        self,
        folder: Path,
        pki: Pki,
        *,
        like: str = "desk",
        behaviour: CardBehaviour | None = None,
        personality: ModemPersonality | None = None,
        **options: Any,
    ) -> None:
        super().__init__(folder, pki, behaviour=behaviour, personality=personality)
        shelf = SmdpShelf(self.server.orders, address=lambda: self.server.address)
        self.platform = self._stack.enter_context(SimulatedPlatform(like, pki=pki, shelf=shelf, **options))
        self.provisioning = ProvisioningPolicy()
        self.platforms = Platforms([self.openable()])

    def openable(self, **changes: Any) -> OpenablePlatform:
        """Return the platform as the daemon creates it, but without a wait between two queries."""
        ca = self.folder / "ca.der"
        ca.write_bytes(next(iter(self.pki.ci.values())).der)
        settings: dict[str, Any] = {
            "name": PLATFORM,
            "like": self.platform.like,
            "base": self.platform.base if self.platform.like in ("desk", "things", "yoni") else None,
            "credentials": self.platform.credentials,
            "options": self.platform.options,
            "product": self.platform.product,
            "ca_files": (ca,),
        }
        route = Route(HostOverrides.parse(self.platform.hosts))
        made = OpenablePlatform(PlatformSettings(**{**settings, **changes}), route=route)
        can = msgspec.structs.replace(made.declaration.can, look_every=0.0)
        made.declaration = msgspec.structs.replace(made.declaration, can=can)
        made.can = can.capabilities(made.declaration.calls)
        return made

    @property
    def port(self) -> CardPort:
        """The card's port, with the settings for provisioning."""
        return replace(super().port, provisioning=self.provisioning)

    def provision(self, **params: object) -> Change:
        """Request a profile; return the queued change."""
        self.until(lambda: self.engine.snapshot(CARD), lambda seen: seen.eid is not None)
        return self.submit(Kind.PROVISION, secrets=None, **{"platform": PLATFORM, **params})

    def asked_or_paused(self, change_id: int) -> Change:
        """Return a change once it waits for an answer or the platform, or has ended."""
        return self.until(
            lambda: self.engine.change(change_id),
            lambda change: change.state.ended or change.question is not None or change.pause is not None,
        )

    @property
    def enabled(self) -> list[str]:
        """The ICCIDs of the profiles that are enabled on the card."""
        return [str(each.iccid) for each in self.card.profiles if each.enabled]


def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have lpad query again immediately instead of after seconds or hours."""
    monkeypatch.setattr(query_times, "BACKOFF", Backoff((0.01,)))
    monkeypatch.setattr(query_times, "WIDEST", 0.01)
    monkeypatch.setattr(platform_query_limit, "EVERY", 0.0)
