"""The data connection follows a switch, through bearers and addresses that only a real network assigns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from hil.place.place import Place
    from lpad.client import Change

WITHIN = 300
"""The guard's time limit in seconds: a search for a network new to the card may take four minutes."""
CONDITIONS = ["registered", "bearer", "address"]
NOBODYS_APN = "lpad.invalid"


def ended(place: Place, change: Change) -> Change:
    """Wait until a guarded switch, or its rollback, has ended; return the change."""
    return change if change.ended else place.client.wait(change.id, seconds=2 * WITHIN + 100)


@pytest.mark.needs("modem", "registers", "data")
def test_data_follows_a_switch(place: Place, pair: tuple[str, str]) -> None:
    """After a switch in either direction, the profile has a bearer and an address."""
    for iccid in reversed(pair):
        change = ended(place, place.enable(iccid, guard=CONDITIONS, within=WITHIN)).check()
        assert place.enabled() == iccid
        assert change.result is not None
        network = change.result["network"]
        assert (network["bearer"], network["address"]) == ("up", "up"), network
        assert network["addresses"]
        if network["applier"] == "networkmanager":
            assert network["interface"], "an interface, such as ppp0 over PPP"


@pytest.mark.needs("modem", "registers", "data")
def test_a_wrong_apn_is_no_dead_profile(place: Place, pair: tuple[str, str]) -> None:
    """If no network has the APN, lpad finds working settings, or rolls back and names the failed layer."""
    first, second = pair
    before = place.client.network(place.name, second)
    assert before.given_by != "owner", "the case would overwrite the network settings of this profile"
    place.client.set_network(place.name, second, apn=NOBODYS_APN)
    try:
        change = ended(place, place.enable(second, guard=CONDITIONS, within=WITHIN))
    finally:
        place.client.clear_network(place.name, second)
    if change.error is None:
        assert change.result is not None
        assert change.result["network"]["worked"]
        ended(place, place.enable(first, guard=CONDITIONS, within=WITHIN)).check()
    else:
        assert change.error.kind == "switch-rolled-back"
        assert change.error.details["layer"] in {"registered", "bearer", "address"}
    assert place.enabled() == first
