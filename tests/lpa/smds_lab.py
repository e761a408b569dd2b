"""A simulated card, a root SM-DS, an alternative SM-DS and an SM-DP+."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lpa.bench import DEVICE, Caller, soon
from lpad.base.server_address import ServerAddress
from lpad.lpa.discovery import Discovered, Discovery
from lpad.lpa.download import Download, Order
from lpad.lpa.owner_install_policy import InstallPolicy
from lpad.remote.es9plus import Es9Plus
from lpad.remote.https.host_overrides import HostOverrides
from lpad.remote.https.proxy_and_interface import Route
from lpad.simulator.smds.server import events_of, make_smds

if TYPE_CHECKING:
    from contextlib import ExitStack
    from pathlib import Path

    from lpa.bench import Bench
    from lpad.codec.messages.authentication import DeviceInfo
    from lpad.simulator.pki.pki import Pki
    from lpad.simulator.smdp.server import SmDp

ROOT, ALTERNATIVE, SMDP = "root.example.com", "alternative.example.com", "smdp.example.com"
OTHER_EID = "89049032000000000000000000000000"


class Lab:
    """A card, an SM-DP+, a root and an alternative SM-DS, each under a name without a port."""

    def __init__(self, bench: Bench, pki: Pki, folder: Path, running: ExitStack) -> None:
        self.bench = bench
        self.pki = pki
        self.folder = folder
        self.running = running
        self.servers: dict[str, SmDp] = {SMDP: bench.smdp}
        self.root = self.add_smds(ROOT)
        self.alternative = self.add_smds(ALTERNATIVE, alternative=True)
        self.asked: list[str] = []

    def add_smds(self, name: str, **details: Any) -> SmDp:
        smds = make_smds(self.folder / name, pki=self.pki, host=name, **details)
        self.servers[name] = self.running.enter_context(smds)
        return smds

    def connect(self, address: ServerAddress) -> Es9Plus:
        self.asked.append(str(address))
        ports = {name: f"127.0.0.1:{server.port}" for name, server in self.servers.items()}
        route = Route(HostOverrides.parse(ports))
        return Es9Plus(address, trust=self.bench.trust, route=route)

    def event(self, event_id: str, address: str = SMDP, *, at: str = ROOT, **details: Any) -> str:
        details.setdefault("eid", self.bench.card.eid.digits)
        return events_of(self.folder / at).register(event_id=event_id, address=address, **details)

    def discover(self, *servers: str, policy: InstallPolicy | None = None, **details: Any) -> Discovered:
        judge = policy or InstallPolicy()
        deadline = details.pop("deadline", None) or soon()
        device: DeviceInfo = details.pop("device", DEVICE)
        with self.bench.euicc() as euicc:
            discovery = Discovery(
                euicc,
                self.connect,
                device=device,
                eid=details.pop("eid", self.bench.card.eid.digits),
                check_server=judge.check_server,
                **details,
            )
            return discovery.run(map(ServerAddress.parse, servers or (ROOT,)), deadline=deadline)

    def download(self, address: str, caller: Caller, *, event_id: str = "", oid: str | None = None) -> None:
        order = Order(matching_id=event_id, smdp_oid=oid)
        with self.bench.euicc() as euicc, self.connect(ServerAddress.parse(address)) as server:
            Download(euicc, server, order, device=DEVICE, listener=caller).run(deadline=soon())


def events(found: Discovered) -> list[tuple[str, str]]:
    return [(each.entry.event_id, str(each.entry.address)) for each in found.events]


def errors(found: Discovered) -> dict[str, str]:
    return {str(each.address): each.error.kind for each in found.servers if each.error is not None}
