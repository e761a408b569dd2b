"""Discovery over the API, and a download of a discovered event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from api.gateway import Gateway
from engine.discovery.discovery_lab import DiscoveryLab
from engine.lab import CARD, FIRST

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lpad.simulator.pki.pki import Pki

EUICC = f"/v1/euiccs/{CARD}"


@pytest.fixture
def lab(tmp_path: Path, pki: Pki) -> Iterator[DiscoveryLab]:
    """Yield a lab whose card's settings name the root SM-DS."""
    with DiscoveryLab(tmp_path, pki) as made:
        made.start(made.policy())
        yield made


@pytest.fixture
def gateway(lab: DiscoveryLab) -> Iterator[Gateway]:
    """Yield a gateway that serves the API of the lab."""
    with Gateway(lab) as made:
        yield made


def test_an_event_becomes_a_download(lab: DiscoveryLab, gateway: Gateway) -> None:
    """The result of a discovery contains the data for a download of the event."""
    lab.event()
    found = gateway.http.post(f"{EUICC}/discover?wait=120", json={}).json()
    assert (found["state"], found["kind"]) == ("done", "discover")
    (event,) = found["result"]["events"]
    body = {"event": {"server": event["server"], "event_id": event["event_id"]}}
    done = gateway.http.post(f"{EUICC}/downloads?wait=120", json=body).json()
    assert (done["state"], done["result"]["iccid"]) == ("done", FIRST)
    assert done["params"]["event"] == body["event"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("discover", {"confirm": True}),
        ("discover", {"servers": ["https://smds.example.com/"]}),
        ("discover", {"servers": ["smds.example.com"] * 9}),
        ("discover", {"everything": True}),
        ("downloads", {"event": {"server": "smdp.example.com"}}),
        ("downloads", {"event": {"server": "smdp.example.com", "event_id": "E"}, "default": True}),
        ("downloads", {"event": {"server": "two names", "event_id": ""}}),
    ],
)
def test_a_request_that_cannot_be(gateway: Gateway, path: str, body: dict[str, Any]) -> None:
    """An impossible request is refused before a change is created."""
    assert gateway.http.post(f"{EUICC}/{path}", json=body).status_code == 400
    assert gateway.get("/v1/changes")["changes"] == []
