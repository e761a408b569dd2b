"""A card whose SM-DSs have names without a port, as cards store them, and a network that may be missing."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from engine.lab import Lab
from lpad.remote.es9plus import Es9Plus
from lpad.remote.https.host_overrides import HostOverrides
from lpad.remote.https.proxy_and_interface import Route
from lpad.simulator.euicc.chip.behaviour import CardBehaviour
from lpad.simulator.smds.server import events_of, make_smds

if TYPE_CHECKING:
    from pathlib import Path

    from lpad.base.server_address import ServerAddress
    from lpad.remote.trust.anchor_named_by_card import CardTrust
    from lpad.simulator.pki.pki import Pki
    from lpad.simulator.smdp.server import SmDp

ROOT, FURTHER, OPERATORS = "root.example.com", "further.example.com", "operator.example.com"
_NOWHERE = "224.0.0.1:443"
"""The kernel refuses a TCP connection to a multicast address as it does without a route (ENETUNREACH)."""


class NamedLab(Lab):
    """A lab with three SM-DSs."""

    def __init__(self, folder: Path, pki: Pki, **behaviour: Any) -> None:
        super().__init__(folder, pki, behaviour=CardBehaviour(**behaviour))
        self.smds: dict[str, SmDp] = {}
        self.network = True
        self._running = ExitStack()
        for name in (ROOT, FURTHER, OPERATORS):
            self.smds[name] = self._running.enter_context(make_smds(folder / name, pki=pki, host=name))

    def __exit__(self, *details: object) -> None:
        super().__exit__(*details)
        self._running.close()

    def event(self, at: str, event_id: str) -> None:
        self.order(matching_id=event_id, eid=self.card.eid)
        events_of(self.smds[at].folder).register(
            eid=self.card.eid.digits, address=self.server.address, event_id=event_id
        )

    def enabled(self) -> list[str]:
        return [str(each.iccid) for each in self.card.profiles if each.enabled]

    def journal_now(self) -> float:
        """Return the present on the journal's steady clock, while no engine runs."""
        journal = self.journal()
        present = journal.clock.now().steady
        journal.close()
        return present

    def _connect(self, address: ServerAddress, card: CardTrust) -> Es9Plus:
        ports = {
            name: f"127.0.0.1:{server.port}" if self.network else _NOWHERE
            for name, server in self.smds.items()
        }
        route = Route(HostOverrides.parse(ports))
        return Es9Plus(address, trust=self.trust, card=card, route=route, observe=self.counters.server)
