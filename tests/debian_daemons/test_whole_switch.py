"""The whole daemon with Debian's NetworkManager and ModemManager: switches, and the dialled contexts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from debian_daemons.test_networkmanager import autoconnects
from journeys.gateway import CARD, PATIENCE, Gateway
from lpad.base.identifiers import Iccid

if TYPE_CHECKING:
    from collections.abc import Callable

    from debian_daemons.rig import Rig

pytestmark = pytest.mark.programs("NetworkManager", "ModemManager", "/usr/lib/polkit-1/polkitd", "unshare")

# lpad has this port for itself; ModemManager uses another port of the same modem.
SETTINGS: dict[str, Any] = {
    "network": {"applier": "networkmanager"},
    "modem_manager": {"inhibit": "never"},
}
ICCIDS = (Iccid.parse("8900101000000000017"), Iccid.parse("8900101000000000025"))
"""Connections are named by the last digits of the ICCID, and those of made-up ICCIDs can be equal."""


def test_data_follows_the_card(rig_of: Callable[..., Rig]) -> None:
    """Each switch and rollback dials the APN of the enabled profile; a deletion removes the connection."""
    gateway = Gateway(settings=SETTINGS)
    rig = rig_of("", modem=gateway.modem)
    rig.start_network_manager()
    rig.settle()  # The simulated card answers only one of two programs at a time.
    with gateway:
        gateway.ready()
        client = gateway.client
        first, second = (gateway.install_profile(iccid=each) for each in ICCIDS)
        for iccid, apn in ((first, "a.example"), (second, "b.example")):
            client.set_network(CARD, iccid, apn=apn)
        for iccid, apn in ((first, "a.example"), (second, "b.example")):
            result = client.enable(CARD, iccid, wait=PATIENCE).check().result
            assert result is not None
            (failure,) = result["network"]["failures"]
            assert (failure["step"], failure["layer"]) == ("connect-network", "bearer")
            assert rig.front.dialled()[-1] == apn
        assert autoconnects(rig) == {f"lpad-{first[-4:]}": "no", f"lpad-{second[-4:]}": "yes"}

        dialled = len(rig.front.dialled())
        change = client.enable(CARD, first, guard=["bearer"], within=15, wait=PATIENCE)
        assert change.error is not None
        assert change.error.kind == "switch-rolled-back"
        assert "a.example" in rig.front.dialled()[dialled:]
        assert rig.front.dialled()[-1] == "b.example"
        assert autoconnects(rig) == {f"lpad-{first[-4:]}": "no", f"lpad-{second[-4:]}": "yes"}

        client.delete(CARD, first, wait=PATIENCE).check()
        assert set(autoconnects(rig)) == {f"lpad-{second[-4:]}"}
