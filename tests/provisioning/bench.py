"""A bench that starts simulated platforms, and opens lpad's clients for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lpad.base.deadline import Deadline
from lpad.provisioning.declared.platform_opening import OpenablePlatform, PlatformSettings
from lpad.provisioning.platform_interface import Wish
from lpad.remote.https.host_overrides import HostOverrides
from lpad.remote.https.proxy_and_interface import Route
from lpad.simulator.platform.server import SimulatedPlatform
from lpad.simulator.platform.smdp_orders import SmdpShelf
from lpad.simulator.smdp.store.orders import Orders

if TYPE_CHECKING:
    from contextlib import ExitStack
    from pathlib import Path

    from lpad.provisioning.declared.declared_platform import DeclaredPlatform
    from lpad.provisioning.http.httpx_transport import Exchange
    from lpad.simulator.pki.pki import Pki

EID = "89049032123451234512345678901235"
OTHER_EID = "89049032123451234512345678901326"
SMDP = "smdp.example.com"
WISH = Wish(reference="lpad-0123456789abcdef", eid=EID)
LIKES = ("desk", "kore", "twilio")
"""Platforms that find, activate and report lines by ICCID."""
ORDERING = (*LIKES, "soracom", "telnyx", "yoni")
"""Platforms that reserve profiles."""


class Bench:
    """Starts simulated platforms, and opens lpad's clients for them."""

    def __init__(self, pki: Pki, folder: Path, stack: ExitStack) -> None:
        self.pki = pki
        self.folder = folder
        self.stack = stack
        self.orders = Orders(folder / "orders")
        self.exchanges: list[Exchange] = []
        self.ca = folder / "ca.der"
        self.ca.write_bytes(next(iter(pki.ci.values())).der)

    def platform(self, like: str, **options: Any) -> SimulatedPlatform:
        shelf = SmdpShelf(self.orders, address=lambda: SMDP)
        return self.stack.enter_context(SimulatedPlatform(like, pki=self.pki, shelf=shelf, **options))

    def openable(self, platform: SimulatedPlatform, **changes: Any) -> OpenablePlatform:
        settings = {
            "name": "mine",
            "like": platform.like,
            "credentials": platform.credentials,
            "options": platform.options,
            "product": platform.product,
            "ca_files": (self.ca,),
        }
        tokens = changes.pop("tokens", None)
        if "base" not in changes and platform.like in ("desk", "things", "yoni"):
            settings["base"] = platform.base
        return OpenablePlatform(
            PlatformSettings(**{**settings, **changes}),
            route=Route(HostOverrides.parse(platform.hosts)),
            tokens=tokens,
            observe=self.exchanges.append,
        )

    def opened(self, platform: SimulatedPlatform, **changes: Any) -> DeclaredPlatform:
        return self.stack.enter_context(self.openable(platform, **changes).opened())


def soon() -> Deadline:
    """Return a deadline longer than any test needs."""
    return Deadline.after(30)
