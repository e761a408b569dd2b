"""Failover in the whole daemon, from its settings to lpactl."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

from journeys.gateway import CARD, Gateway
from lpad.base.identifiers import Iccid
from lpad.simulator.profile_package.made_up_profile import made_up_profile

if TYPE_CHECKING:
    from lpad.client import Failover

FIRST = "8900101000000000017"
SECOND = "8900101000000000025"


def healthy(iccid: str) -> dict[str, Any]:
    return {"iccid": iccid, "healthy": ["registered"], "interval": 10, "lasting": 0}


def standing(gateway: Gateway) -> Failover:
    found = gateway.client.euicc(CARD).failover
    assert found is not None
    return found


def test_a_rejected_profile_is_replaced_without_a_user() -> None:
    """If the network rejects the current profile, lpad enables the other; lpactl status shows this."""
    order = {"profiles": [healthy(FIRST), healthy(SECOND)], "within": 60, "cooldown": 3600}
    with Gateway(euicc={"failover": order}) as gateway:
        gateway.ready()
        for iccid in (FIRST, SECOND):
            gateway.download(gateway.order(made_up_profile(Iccid.parse(iccid)))).check()
        gateway.client.enable(CARD, FIRST, wait=60).check()
        gateway.until(lambda: standing(gateway).standing == "well")
        gateway.modem.register(FIRST, 3)
        gateway.until(lambda: standing(gateway).standing == "resting")
        assert str(gateway.card.enabled_iccid) == SECOND
        change = next(each for each in gateway.client.changes() if each.origin == "failover")
        assert change.check().state == "done"
        assert change.guard is not None
        assert change.guard.previous == FIRST
        told = subprocess.run(
            [sys.executable, "-m", "lpad.cli.lpactl", "--socket", str(gateway.socket), "status"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert f"{CARD}: failover: resting" in told.stderr
