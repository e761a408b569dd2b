"""The bench's own SM-DP+."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hil.bench_file.bench_file import Bench, BenchFile, Server
from hil.orders.own_smdp import OwnServer
from lpad.base.identifiers import Iccid
from lpad.simulator.pki.pki import DEFAULT_EID
from lpad.simulator.profile_package.made_up_profile import made_up_profile
from lpad.simulator.smdp.store.profile_metadata import Owner, ProfilePolicyRule

if TYPE_CHECKING:
    from pathlib import Path

ICCID = Iccid.parse("8949000000000000015")


@pytest.mark.parametrize(("imsi", "code"), [(None, "00101"), ("262021234567890", "26202")])
def test_orders_name_the_profiles_owner(tmp_path: Path, imsi: str | None, code: str) -> None:
    """An order with policy rules names the operator in the profile's IMSI as owner."""
    if imsi is not None:
        (tmp_path / "profile.der").write_bytes(made_up_profile(ICCID, imsi=imsi, size=3000))

    section = Server(certificates="pki", profile=None if imsi is None else "profile.der")
    server = OwnServer(
        BenchFile(tmp_path / "bench.yaml", Bench(places={})), section, folder=tmp_path / "server"
    )
    server.start()
    try:
        server.order(str(DEFAULT_EID), policy_rules=[ProfilePolicyRule.PPR1])
        (order,) = server._server.orders.all()
    finally:
        server.stop()
    assert order.metadata.owner == Owner(code)
