"""The events that leave the device during a discovery and its download."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.discovery.discovery_lab import DiscoveryLab
from engine.lab import FIRST
from lpad.engine.policy.install_policies_by_card import Policies
from lpad.lpa.owner_install_policy import InstallPolicy

if TYPE_CHECKING:
    from pathlib import Path

    from lpad.engine.change.change import Json
    from lpad.simulator.pki.pki import Pki


def told(lab: DiscoveryLab) -> list[dict[str, Json]]:
    events = lab.engine.events.after(0, limit=999)
    return [each.body.data for each in events if each.type == "org.lpad.discovery.changed.v1"]


def test_from_the_list_to_the_card(tmp_path: Path, pki: Pki) -> None:
    """Each stage is reported as one event of lpad, with the servers, but without the SM-DS's event ID."""
    with DiscoveryLab(tmp_path, pki) as lab:
        lab.event()
        lab.start(lab.policy())
        for _ in range(2):  # A second discovery finds nothing new.
            assert lab.discover().error is None
        discovery = lab.discover(install=True)
        (download,) = lab.downloads()
        lab.until(lambda: told(lab), lambda seen: seen[-1]["stage"] == "installed")
        about = {
            "eid": lab.card.eid.digits,
            "server": lab.server.address,
            "listed_by": lab.root.address,
        }
        assert told(lab)[:2] == [{**about, "stage": "listed"}, {**about, "stage": "wanted"}]
        assert told(lab)[-1] == {**about, "stage": "installed", "change": download.id, "iccid": FIRST}
        assert discovery.id < download.id
        assert "EVENT-1" not in str(told(lab))


def test_a_forbidden_event(tmp_path: Path, pki: Pki) -> None:
    """An event reports to the owner that the policy does not allow a profile's server."""
    with DiscoveryLab(tmp_path, pki) as lab:
        lab.event()
        lab.policies = Policies(InstallPolicy(servers=("*.operator.example",)))
        lab.start(lab.policy())
        assert lab.discover(install=True).error is None
        assert [each["stage"] for each in told(lab)] == ["forbidden"]
