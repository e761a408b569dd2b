"""Discovery by a daemon: from an empty card to an enabled profile, in a modem and a reader."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from card.private_pcscd import FIRST as READER
from card.private_pcscd import PrivatePcscd, wait_for_cards
from engine.daemon import PATIENCE, Daemon
from engine.discovery.discovery_lab import DiscoveryLab
from engine.lab import FIRST
from lpad.simulator.smdp.store.order import OrderState
from lpad.simulator.virtual_reader import VirtualReaderCard

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lpad.simulator.pki.pki import Pki


@pytest.fixture
def lab(tmp_path: Path, pki: Pki) -> Iterator[DiscoveryLab]:
    """A lab with a card, an SM-DP+, a root SM-DS and an alternative SM-DS."""
    with DiscoveryLab(tmp_path, pki) as made:
        yield made


def settings(lab: DiscoveryLab) -> dict[str, Any]:
    return {
        "discovery": {"when": "on_empty", "servers": [lab.root.address], "install": "allowed"},
        "policy": {"servers": [lab.server.address, lab.alternative.address]},
    }


@pytest.mark.parametrize("link", ["at", "pcsc"])
def test_an_empty_card_finds_its_profile(lab: DiscoveryLab, link: str) -> None:
    """Lpad follows the SM-DSs to the SM-DP+ and enables the profile; after a restart, it queries no SM-DS."""
    order = lab.event(cascade=True)
    wanted = settings(lab)
    with ExitStack() as running:
        if link == "pcsc":
            pcscd = running.enter_context(PrivatePcscd())
            running.enter_context(VirtualReaderCard(lab.card, port=pcscd.port))
            wait_for_cards(present={READER})
            wanted["euiccs"] = {"modem": {"reader": READER}}
        daemon = running.enter_context(Daemon(lab, **wanted))
        lab.until_true(lambda: lab.enabled() == [FIRST])
        lab.until_true(lambda: lab.server.orders.get(order.id).state is OrderState.INSTALLED)
        with daemon.client() as client:
            lab.until_true(lambda: all(each.ended for each in client.changes()))
            changes = [(each.kind, each.origin, each.state) for each in reversed(client.changes())]
            assert changes == [("discover", "provision", "done"), ("download", "discovery", "done")]
            found = client.discover("modem", wait=PATIENCE)
            assert [each["state"] for each in (found.result or {})["events"]] == ["installed"]
        assert daemon.stop() == 0
        lab.root.counters.reset()
        daemon.start()
        with daemon.client() as client:
            client.refresh("modem", wait=PATIENCE).check()
        assert lab.root.counters.tcp_connects == 0


def test_a_daemon_that_is_killed_at_each_step(lab: DiscoveryLab) -> None:
    """If the daemon is killed several times during a discovery, one profile is still installed."""
    order = lab.event(cascade=True)
    with Daemon(lab, **settings(lab)) as daemon:
        for requests in (1, 2, 4, 7):
            lab.until_true(
                lambda least=requests: (  # type: ignore[misc]  # the default binds the value now
                    sum(lab.root.counters.requests.values())
                    + sum(lab.alternative.counters.requests.values())
                    + sum(lab.server.counters.requests.values())
                    >= least
                )
            )
            daemon.kill()
            daemon.start()
        lab.until_true(lambda: lab.server.orders.get(order.id).state is OrderState.INSTALLED)
        lab.until_true(lambda: lab.enabled() == [FIRST])
        assert lab.installed() == [FIRST]
